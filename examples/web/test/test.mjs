// The page in headless Chromium, on its software device: `node test.mjs PAGE RESULTS [PATTERN]`. PAGE is the built
// page's folder, RESULTS a folder for screenshots and downloads, PATTERN chooses tests by their names. DM_WGPU is the native program, CHROMIUM the browser.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { tmpdir } from "node:os";
import { dirname, extname, join, resolve } from "node:path";
import { chromium } from "playwright-core";
import { npy, safetensors, unzip, zip } from "./files.mjs";

const [page_, results] = process.argv.slice(2, 4).map((path) => resolve(path));
const wanted = new RegExp(process.argv[4] ?? "");
const { DM_WGPU, CHROMIUM } = process.env;
const TYPES = { ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".wasm": "application/wasm" };
const TIME = 300_000;

const server = createServer((request, response) => {
  const path = join(page_, new URL(request.url, "http://x").pathname.replace(/\/$/, "/index.html"));
  try {
    response.writeHead(200, { "content-type": TYPES[extname(path)] ?? "text/plain", "content-length": statSync(path).size });
    createReadStream(path).pipe(response);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise((done) => server.listen(0, "localhost", done));
const origin = `http://localhost:${server.address().port}`;
mkdirSync(results, { recursive: true });
const profile = mkdtempSync(join(tmpdir(), "dm-wgpu-page-"));
const browser = await chromium.launchPersistentContext(profile, {
  executablePath: CHROMIUM,
  headless: true,
  acceptDownloads: true,
  viewport: { width: 1280, height: 1000 },
  args: ["--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"],
});

/** The native program, on the same software device. */
const native = (...given) => execFileSync(DM_WGPU, given, {
  encoding: "utf8",
  stdio: ["ignore", "pipe", "pipe"],
  env: { ...process.env, ...(process.env.SWIFTSHADER ? { VK_DRIVER_FILES: process.env.SWIFTSHADER, VK_ICD_FILENAMES: process.env.SWIFTSHADER } : {}) },
});

const asked = [];
browser.on("request", (request) => asked.push(request.url()));

/** An open page, ready to run; what it complains about on its console ends the test. */
async function open(prepare) {
  const page = await browser.newPage();
  page.setDefaultTimeout(TIME);
  page.complaints = [];
  page.on("console", (message) => { if (message.type() === "error") page.complaints.push(message.text()); });
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  if (prepare) await page.addInitScript(prepare);
  await page.goto(origin);
  return page;
}

const text = (page, id) => page.locator(`#${id}`).textContent();
const says = (page, id, words) => page.waitForFunction(([at, sought]) => document.getElementById(at).textContent.includes(sought), [id, words]);
const iteration = async (page) => Number(/\d+/.exec(await text(page, "status"))?.[0] ?? 0);

async function set(page, values) {
  await page.evaluate(() => { document.querySelector("#controls details").open = true; });
  for (const [id, value] of Object.entries(values)) await page.fill(`#${id}`, String(value));
}

async function reset(page) {
  await page.click("#reset");
  await says(page, "status", "Ready");
}

async function download(page, format) {
  const [got] = await Promise.all([page.waitForEvent("download"), page.click(`[data-format=${format}]`)]);
  const path = join(results, got.suggestedFilename());
  await got.saveAs(path);
  return path;
}

/** Drops files as a hand does: [name, bytes]. */
async function drop(page, files) {
  await page.evaluate((files) => {
    const dataTransfer = new DataTransfer();
    for (const [name, base64] of files) dataTransfer.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name));
    document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
  }, files.map(([name, bytes]) => [name, Buffer.from(bytes).toString("base64")]));
}

const SMALL = { ipc: 1, iterations: 30, width: 8, batch: 4, every: 0 };
const NATIVE = ["--dataset", "glyphs", "--ipc", "1", "--width", "8", "--batch-real", "4", "--no-eval"];

const tests = {
  async "thirty iterations come to the native program's losses"(page) {
    await says(page, "status", "Ready");
    await set(page, SMALL);
    await reset(page);
    const begun = Date.now();
    await page.click("#start");
    await says(page, "status", "Done");
    const seconds = (Date.now() - begun) / 1000;
    const saved = safetensors(readFileSync(await download(page, "checkpoint")));
    const { losses } = JSON.parse(saved.tensor("notes").toString());
    assert.equal(losses.length, 30);
    const out = join(results, "native");
    rmSync(out, { recursive: true, force: true });
    native(...NATIVE, "--iterations", "30", "--out", out);
    const rows = readFileSync(join(out, "metrics.csv"), "utf8").trim().split("\n").slice(1).map((row) => Number(row.split(",")[1]));
    assert.equal(rows.length, 30);
    const apart = losses.map((loss, at) => Math.abs(loss - rows[at]));
    console.log(`  first loss ${losses[0]} here, ${rows[0]} native; at most ${Math.max(...apart).toExponential(1)} apart in 30 iterations; ${(30 / seconds).toFixed(1)} iterations/s`);
    assert.ok(Math.max(...apart) < 1e-3, `losses are apart: ${apart}`);
  },

  async "what is downloaded is loaded by the native program"(page) {
    // An error ends it; what it shows is coloured blocks, some characters for each.
    for (const format of ["safetensors", "npz"]) {
      assert.ok(native("view", await download(page, format), "--as", "blocks").length > 10_000, format);
    }
    assert.ok(readFileSync(await download(page, "pt")).includes("data.pkl"));
    assert.equal(readFileSync(await download(page, "png")).toString("latin1", 1, 4), "PNG");
    assert.match(readFileSync(await download(page, "html"), "utf8"), /The images after \d+ iterations/);
  },

  async "a pause pauses, and a checkpoint goes to the command line and back"(page) {
    await set(page, { ...SMALL, iterations: 400 });
    await reset(page);
    await page.click("#start");
    await page.waitForFunction(() => /Iteration (?!0 )/.test(document.getElementById("status").textContent));
    await page.click("#start");
    await says(page, "status", "Paused");
    const at = await iteration(page);
    await page.waitForTimeout(500);
    await page.waitForFunction(() => document.getElementById("start").textContent === "Continue");
    const folder = unzip(readFileSync(await download(page, "folder")));
    assert.deepEqual(folder.map(([name]) => name), ["glyphs-ipc1/run.toml", "glyphs-ipc1/checkpoint.safetensors"]);
    const paused = Number(safetensors(folder[1][1]).metadata.iteration);
    assert.ok(paused === at && at > 0 && at < 400, `${paused} ${at}`);
    for (const [name, bytes] of folder) {
      mkdirSync(join(results, dirname(name)), { recursive: true });
      // Some iterations more are enough here.
      writeFileSync(join(results, name), name.endsWith("toml") ? bytes.toString().replace("iterations = 400", `iterations = ${paused + 5}`) : bytes);
    }
    const out = join(results, "glyphs-ipc1");
    native("--resume", out);
    const csv = readFileSync(join(out, "metrics.csv"), "utf8").trim().split("\n");
    assert.equal(csv.length, paused + 6);
    const back = readFileSync(join(out, "checkpoint.safetensors"));
    await drop(page, [["checkpoint.safetensors", back]]);
    await says(page, "status", `Resumed at iteration ${paused + 5}`);
    const again = safetensors(readFileSync(await download(page, "checkpoint")));
    assert.ok(again.tensor("images").equals(safetensors(back).tensor("images")), "the same images to the bit");
    assert.equal(JSON.parse(again.tensor("notes").toString()).losses.length, paused + 5);
  },

  async "an npz is dropped, condensed and measured"(page) {
    const [count, size] = [60, 8];
    const pixels = Array.from({ length: count * size * size }, (_, at) => {
      const [image, x] = [Math.floor(at / (size * size)), at % size];
      // Bright at the left or at the right, by class.
      return ((x < size / 2) === (image % 2 === 0) ? 200 : 30) + (at * 7919 + image) % 40;
    });
    const file = zip([["images.npy", npy([count, size, size], pixels)], ["labels.npy", npy([count], Array.from({ length: count }, (_, at) => at % 2))]]);
    await drop(page, [["sides.npz", file]]);
    await says(page, "data-about", "sides: 48 grey training images and 12 test images of 8×8 pixels in 2 classes");
    await says(page, "status", "Ready");
    assert.ok(await page.locator("[data-format=folder]").isDisabled(), "the command line does not know it");
    await set(page, { ipc: 2, iterations: 10, width: 8, batch: 8, every: 0, nets: 2, epochs: 30 });
    await reset(page);
    await page.click("#start");
    await says(page, "status", "Done");
    await page.click("#measure");
    await says(page, "accuracy", "%");
    assert.ok(parseFloat(await text(page, "accuracy")) > 90, await text(page, "accuracy"));
  },

  async "MNIST's files are dropped one after the other, gzipped or not"(page) {
    const words = (...numbers) => Buffer.concat(numbers.map((number) => { const word = Buffer.alloc(4); word.writeUInt32BE(number); return word; }));
    const images = Buffer.concat([words(0x803, 20, 28, 28), Buffer.alloc(20 * 784, 7)]);
    const labels = Buffer.concat([words(0x801, 20), Buffer.from(Array.from({ length: 20 }, (_, at) => at % 10))]);
    await drop(page, [["train-images-idx3-ubyte.gz", gzipSync(images)], ["train-labels-idx1-ubyte", labels]]);
    await says(page, "problem-text", "t10k-images-idx3-ubyte");
    await page.click("#problem-actions >> text=Close");
    await drop(page, [["t10k-images.idx3-ubyte", images], ["t10k-labels-idx1-ubyte.gz", gzipSync(labels)]]);
    await says(page, "data-about", "mnist: 20 grey training images and 20 test images of 28×28 pixels in 10 classes");
    await says(page, "status", "Ready");
  },

  async "a folder of pictures is read"(page) {
    const folder = join(results, "pets");
    for (const [name, colour] of [["cats", "#c00"], ["dogs", "#08f"]]) {
      mkdirSync(join(folder, name), { recursive: true });
      const picture = await page.evaluate((colour) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 30, height: 20 });
        const to = canvas.getContext("2d");
        to.fillStyle = colour;
        to.fillRect(0, 0, 30, 20);
        return canvas.toDataURL("image/png").split(",")[1];
      }, colour);
      for (let at = 0; at < 5; at++) writeFileSync(join(folder, name, `${at}.png`), Buffer.from(picture, "base64"));
    }
    await page.fill("#side", "8");
    await page.setInputFiles("#folder", folder);
    await says(page, "data-about", "pets: 8 colour training images and 2 test images of 8×8 pixels in 2 classes: cats, dogs");
    await says(page, "status", "Ready");
  },

  async "steps, snapshots and a rate that changes"(page) {
    await page.click("#glyphs");
    await says(page, "data-about", "glyphs: 10000 grey training images and 2000");
    await says(page, "status", "Ready");
    await set(page, SMALL);
    await reset(page);
    for (const at of [1, 2]) {
      await page.focus("#step");
      await page.keyboard.press("Enter");
      await says(page, "status", `Iteration ${at} of 30`);
    }
    await page.fill("#lr", "0.5");
    // More iterations are no other run.
    await page.fill("#iterations", "40");
    await page.keyboard.press("Tab");
    await says(page, "status", "Iteration 2 of 40");
    assert.equal(await text(page, "snapshot-name"), "iteration 2");
    await page.focus("#snapshot");
    await page.keyboard.press("Home");
    assert.equal(await text(page, "snapshot-name"), "iteration 0");
    await page.click("#latest");
    assert.equal(await text(page, "snapshot-name"), "iteration 2");
    const { metadata } = safetensors(readFileSync(await download(page, "checkpoint")));
    assert.equal(JSON.parse(metadata.settings).lr_img, 0.5);
    // A tab that nobody sees.
    const hide = (hidden) => page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
      document.dispatchEvent(new Event("visibilitychange"));
    }, hidden);
    await page.click("#start");
    await hide(true);
    await says(page, "status", "Paused while the tab is hidden");
    await hide(false);
    await page.waitForFunction(() => /^Iteration ([3-9]|\d\d)/.test(document.getElementById("status").textContent));
    await page.click("#start");
    await says(page, "status", "Paused at");
  },

  async "files that are none are a sentence and a way on"(page) {
    const bad = [
      [["notes.txt", "hello"], "no data set, synthetic set or checkpoint"],
      [["broken.npz", "PK"], "not an npz file"],
      [["x.safetensors", "no tensors"], "x.safetensors"],
      [["train-images-idx3-ubyte", "<!DOCTYPE html><title>Not found</title>"], "give the content of all of"],
    ];
    for (const [file, words] of bad) {
      await drop(page, [file]);
      await says(page, "problem-text", words);
      await page.click("#problem-actions >> text=Close");
    }
    await set(page, { ipc: 100000 });
    await page.click("#reset");
    await says(page, "problem-text", "Images per class");
    await page.click("#problem-actions >> text=Close");
    await set(page, SMALL);
    await reset(page);
    // What cannot be read leaves a run as it is.
    await page.click("#start");
    await page.waitForFunction(() => document.getElementById("start").textContent === "Pause");
    await drop(page, [bad[0][0]]);
    await says(page, "problem-text", bad[0][1]);
    assert.equal(await text(page, "start"), "Pause");
    await page.click("#problem-actions >> text=Close");
    await page.click("#start");
    await says(page, "status", "Paused at");
    // A run that has not begun takes the settings that are seen.
    await reset(page);
    await set(page, { ipc: 2 });
    await page.click("#start");
    await page.waitForFunction(() => document.getElementById("canvas").ariaLabel.startsWith("20 images"));
    await page.click("#start");
    await says(page, "status", "Paused at");
    await set(page, SMALL);
    await reset(page);
  },

  async "it looks as it should"(page) {
    await set(page, { ipc: 4, iterations: 12, width: 8, batch: 4, every: 6, nets: 1, epochs: 8 });
    await reset(page);
    await page.click("#start");
    await says(page, "status", "Done");
    await page.waitForFunction(() => document.getElementById("measuring").hidden && document.querySelectorAll("#accuracy-chart circle").length === 2);
    for (const [name, colorScheme, width, height] of [["light", "light", 1280, 1000], ["dark", "dark", 1280, 1000], ["phone", "light", 390, 844]]) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme });
      await page.waitForTimeout(300);
      await page.screenshot({ path: join(results, `${name}.png`), fullPage: true });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(wide <= 0, `${name} is ${wide} pixels too wide`);
    }
    await page.setViewportSize({ width: 1280, height: 1000 });
    // Everything that can be used has a name for those who do not see it.
    const nameless = await page.evaluate(() => [...document.querySelectorAll("button, input, select, canvas, progress, svg[role]")]
      .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.textContent.trim())).map((one) => one.id));
    assert.deepEqual(nameless, []);
  },

  async "a lost device is opened again, and the run goes on"() {
    const page = await open(() => {
      const real = GPUAdapter.prototype.requestDevice;
      GPUAdapter.prototype.requestDevice = async function (...given) { return (window.opened = await real.apply(this, given)); };
    });
    await says(page, "status", "Ready");
    await set(page, SMALL);
    await reset(page);
    await page.click("#step");
    await says(page, "status", "Iteration 1 of 30");
    await page.evaluate(() => window.opened.destroy());
    await says(page, "problem-text", "was lost");
    await page.click("#problem-actions >> text=Open it again");
    await says(page, "status", "Ready");
    await page.click("#step");
    await says(page, "status", "Iteration 1 of 30");
    await page.close();
  },

  async "a browser without WebGPU is told which have it"() {
    const page = await open(() => { Object.defineProperty(Navigator.prototype, "gpu", { get: () => undefined }); });
    await says(page, "problem-text", "Safari from version 26");
    assert.deepEqual(page.complaints, []);
    await page.close();
  },

  async "no request leaves the page"(page) {
    const away = asked.filter((url) => !url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url));
    assert.deepEqual(away, []);
    assert.ok(asked.some((url) => url.endsWith(".wasm")));
    const refused = await page.evaluate(() => fetch("http://127.0.0.1:9/").then(() => "fetched", (error) => error.name));
    assert.equal(refused, "TypeError", "the policy refuses others");
  },
};

let failures = 0;
try {
  const page = await open();
  await says(page, "status", "Ready");
  for (const [name, test] of Object.entries(tests).filter(([name]) => wanted.test(name))) {
    const begun = Date.now();
    try {
      page.complaints = [];
      await test(page);
      if (!name.startsWith("no request")) assert.deepEqual(page.complaints, [], "complaints on the console");
      console.log(`ok      ${name} (${((Date.now() - begun) / 1000).toFixed(1)} s)`);
    } catch (error) {
      failures++;
      console.log(`FAILED  ${name}\n${error.stack}\n  the page says: ${await text(page, "status")}; ${await text(page, "problem-text")}\n  console: ${page.complaints.join("\n")}`);
      await page.screenshot({ path: join(results, "failed.png"), fullPage: true });
    }
  }
} finally {
  await browser.close();
  server.close();
  rmSync(profile, { recursive: true, force: true });
}
console.log(failures ? `${failures} failed` : `all passed; screenshots are in ${results}`);
process.exit(failures ? 1 : 0);
