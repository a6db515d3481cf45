// The page: what is asked, what runs, what is seen. Everything that computes is the library's.
import init, { Data, Device, Run, evaluate, run_folder } from "./dm_wgpu.js";
import { dropped, read } from "./files.js";
import { html, png, save } from "./report.js";
import { chart, paint, short } from "./view.js";

const $ = (id) => document.getElementById(id);
/** Milliseconds of a frame that the run gets; the rest is for drawing. */
const SHARE = 8;
/** Milliseconds between two pictures, and between two states kept for when the device is lost. */
const [PICTURE, KEPT] = [120, 20_000];
/** Bytes of snapshots to scrub through. Beyond, every second is dropped. */
const SNAPSHOTS = 48 * 2 ** 20;
const AUGMENTATIONS = ["color", "crop", "cutout", "flip", "scale", "rotate"];

let device, data, about, recipe;
/** What the command line calls the data set; null if it has no name there. */
let command = "glyphs";
let run = null;
let running = false;
/** What is awaited that uses the run or the device; two of these never overlap. */
let busy = null;
let losses, seconds, curve, snapshots, started, evaluating, kept, keptAt, beginning;
/** A set that was dropped and is looked at instead of the run. */
let guest = null;
let reading = false;
let lastPicture = 0;
let measureNext = 0;
let leave = false;
/** Whether a measurement is asked for or under way. */
let measuring = false;

// ---- words ----

const say = (words) => { $("news").textContent = words; };
const status = (words) => { $("status").textContent = words; };

function problem(words, ...actions) {
  $("problem-text").textContent = words;
  const button = ([label, action]) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: label });
    made.addEventListener("click", () => {
      $("problem").hidden = true;
      $("pictures").focus({ preventScroll: true });
      action();
    });
    return made;
  };
  $("problem-actions").replaceChildren(...[...actions, ["Close", () => {}]].map(button));
  $("problem").hidden = false;
}

/** Tells what went wrong, and a way on. */
function failed(error) {
  // What was asked for in vain leaves the run as it is.
  if (!["Request", "File"].includes(error?.name)) running = false;
  refresh();
  const words = error?.message ?? String(error);
  const way = {
    OutOfMemory: ["The graphics device has no memory left. Take fewer images per class, fewer real images or a narrower network, and reset.", ["Reset", reset]],
    Diverged: ["The images diverged: their values are no numbers any more. Take a smaller learning rate and reset.", ["Reset", reset]],
    Device: ["The graphics device failed.", ["Open it again", reopen]],
    Request: ["These settings are not possible.", null],
    File: ["This cannot be read.", null],
  }[error?.name];
  if (!way) console.error(error);
  const [sentence, action] = way ?? ["Something failed in the page itself. Reload it to begin again.", ["Reload", () => location.reload()]];
  problem(`${sentence}\n${words}`, ...(action ? [action] : []));
}

const guarded = (work) => async (...given) => { try { return await work(...given); } catch (error) { failed(error); } };

/** Waits for what is under way, then does this. */
async function alone(work) {
  while (busy) await busy.catch(() => {});
  busy = work();
  try { return await busy; } finally { busy = null; }
}

// ---- settings ----

const number = (id) => {
  const field = $(id);
  if (!field.checkValidity() || field.value === "") {
    const label = document.querySelector(`label[for=${id}]`).textContent.replace(" *", "");
    field.closest("details")?.setAttribute("open", "");
    field.focus();
    throw Object.assign(new Error(`${label}: ${field.validationMessage || "a number is needed"}`), { name: "Request" });
  }
  return field.valueAsNumber;
};

function fill({ settings, evaluation }) {
  const set = (id, value) => { $(id).value = value; };
  set("ipc", settings.ipc); set("iterations", settings.iterations); set("lr", settings.lr_img); set("seed", settings.seed);
  set("init", settings.init); set("width", settings.width); set("batch", settings.batch_real);
  const on = settings.augment.split("_");
  for (const name of AUGMENTATIONS) $(`augment-${name}`).checked = on.includes(name);
  if (evaluation) { set("nets", evaluation.nets); set("epochs", evaluation.epochs); }
}

function asked() {
  const augment = AUGMENTATIONS.filter((name) => $(`augment-${name}`).checked).join("_") || "none";
  return { ...recipe.settings, ipc: number("ipc"), iterations: number("iterations"), lr_img: number("lr"), seed: number("seed"),
    init: $("init").value, width: number("width"), batch_real: number("batch"), augment };
}

const evaluation = () => {
  const settings = settingsNow() ?? asked();
  return { ...recipe.evaluation, nets: number("nets"), epochs: number("epochs"), width: settings.width, depth: settings.depth, seed: settings.seed };
};

// ---- a run ----

function forget() {
  run?.free();
  [run, answered] = [null, {}];
  [losses, seconds, curve, snapshots, evaluating] = [[], [], [], [], 0];
  [started, kept, keptAt, beginning, guest, measureNext] = [0, null, performance.now(), null, null, 0];
  $("progress").value = 0;
  $("accuracy").textContent = $("loss").textContent = $("speed").textContent = "–";
  $("pending").classList.remove("due");
}

/** Begins anew with the settings as they are. If these are refused, the run there is stays. */
const reset = guarded(async () => {
  const settings = JSON.stringify(asked());
  const wasRunning = running;
  running = false;
  leave = true;
  status("Preparing: the device compiles…");
  try {
    await alone(async () => {
      let next;
      try {
        next = await Run.start(device, data, settings);
      } catch (error) {
        if (error.name !== "OutOfMemory" || !run) throw error;
        // Without the old run there is more room.
        forget();
        next = await Run.start(device, data, settings);
      }
      forget();
      $("problem").hidden = true;
      run = next;
      await look();
    });
  } catch (error) {
    status(run ? `Paused at iteration ${done()}` : "Not ready");
    if (run && wasRunning) start();
    throw error;
  }
  status("Ready");
  say("Ready");
  refresh();
});

const resume = guarded(async (saved, words) => {
  running = false;
  leave = true;
  await alone(async () => {
    const settings = JSON.parse(saved.settings());
    const total = Math.max(settings.iterations, saved.iteration);
    // Whatever wrote it: a run of the command line has its history in there as well.
    let history = {};
    try { history = JSON.parse(saved.notes); } catch { /* without notes there is none */ }
    const next = await Run.resume(device, data, saved.copy(), total);
    forget();
    run = next;
    [losses, seconds, curve] = [history.losses ?? [], history.seconds ?? [], history.curve ?? []];
    evaluating = history.evaluating ?? 0;
    kept = saved;
    fill({ settings: { ...settings, iterations: total } });
    await look();
  });
  status(words);
  say(words);
  refresh();
});

/** What the run answers, or, while its state is being copied, what it answered before. */
let answered = {};
function ask(name, work) {
  if (!run) return undefined;
  try {
    answered[name] = work();
  } catch (error) {
    if (error.name !== "Busy") throw error;
  }
  return answered[name];
}
/** Another number of iterations, on which nothing else depends: the same run goes on. */
const extend = guarded(async (iterations) => {
  await alone(async () => {
    const saved = await run.checkpoint("");
    collect();
    const next = await Run.resume(device, data, saved, Math.max(iterations, saved.iteration));
    run.free();
    [run, answered] = [next, {}];
  });
  if (iterations < total()) say(`Iteration ${done()} is done, so the run ends there at the earliest`);
  $("iterations").value = total();
  status(`Iteration ${done()} of ${total()}`);
  refresh();
});

const done = () => ask("done", () => run.done) ?? 0;
const settingsNow = () => ask("settings", () => JSON.parse(run.settings()));
const total = () => settingsNow()?.iterations ?? 0;
const elapsed = () => (seconds.at(-1) ?? 0);

/** Takes the losses that arrived. */
function collect() {
  const now = performance.now();
  let arrived = [];
  ask("losses", () => { arrived = run.losses(); });
  for (let at = 0; at < arrived.length; at += 2) {
    losses[arrived[at]] = arrived[at + 1];
    // Time while it was paused does not count.
    seconds[arrived[at]] = started.seconds + (now - started.at) / 1000;
  }
}

const begin = () => { started = { at: performance.now(), seconds: elapsed() }; };

/** Reads the images and shows them. */
async function look() {
  const of = run;
  const images = await of.images();
  // It was reset meanwhile.
  if (of !== run) return images.free();
  const seen = { iteration: images.iteration, images: { pixels: Uint8ClampedArray.from(images.pixels()), labels: [...images.labels] } };
  images.free();
  beginning ??= seen;
  if (snapshots.at(-1)?.iteration === seen.iteration) snapshots.pop();
  snapshots.push(seen);
  if (snapshots.length * seen.images.pixels.length > SNAPSHOTS || snapshots.length > 200) {
    const last = snapshots.length - 1;
    snapshots = snapshots.filter((_, at) => at === 0 || at === last || at % 2 === 0);
  }
  const scrub = $("snapshot");
  const atEnd = +scrub.value >= +scrub.max;
  scrub.max = snapshots.length - 1;
  if (atEnd) scrub.value = scrub.max;
  $("scrub").hidden = snapshots.length < 2;
  show();
}

/** Paints what is looked at: a dropped set, an earlier snapshot, or the present images. */
function show() {
  const at = Math.min(+$("snapshot").value, snapshots.length - 1);
  const seen = guest ?? snapshots[at];
  if (!seen) return;
  const style = getComputedStyle(document.documentElement);
  const colours = { paper: style.getPropertyValue("--card").trim(), ink: style.getPropertyValue("--ink").trim() };
  paint($("canvas"), seen.images, about, $("stage").clientWidth, Math.min(3, devicePixelRatio || 1), colours);
  const words = guest ? guest.title : `iteration ${seen.iteration}`;
  $("snapshot-name").textContent = words;
  $("snapshot").setAttribute("aria-valuetext", words);
  $("canvas").setAttribute("aria-label", `${seen.images.labels.length} images of ${about.classes.length} classes, ${words}`);
  $("latest").hidden = !guest && at >= snapshots.length - 1;
  $("scrub").hidden = snapshots.length < 2 && !guest;
}

function curves() {
  chart($("loss-chart"), losses.map((loss, at) => [at + 1, loss]).filter(Boolean), total(), "Loss");
  chart($("accuracy-chart"), curve.map(([at, accuracy]) => [at, accuracy.mean]), total(), "Accuracy", 10, 100);
  const last = curve.at(-1)?.[1];
  $("accuracy").textContent = last ? `${last.mean.toFixed(1)} %` : "–";
  if (losses.length) $("loss").textContent = short(losses.at(-1));
}

function refresh() {
  const there = Boolean(run);
  const over = there && done() >= total();
  $("start").disabled = !there || over;
  $("start").textContent = running ? "Pause" : done() > 0 && !over ? "Continue" : "Start";
  $("step").disabled = !there || running || over;
  $("reset").disabled = $("glyphs").disabled = !device;
  $("measure").disabled = !there || about.test === 0 || measuring;
  for (const button of document.querySelectorAll("[data-format]")) button.disabled = !there;
  document.querySelector("[data-format=folder]").disabled = !there || command === null;
  if (there) {
    $("progress").value = done() / total();
    curves();
  }
}

// ---- frames ----

/** Frames of the last second, and when the last iterations ended. */
let rate = { frames: 0, at: 0 };
let drawn = 0;
/** Seconds over which iterations are counted. */
const SPAN = 8;

function rates(now) {
  rate.frames++;
  if (now - rate.at < 1000) return;
  const span = (now - rate.at) / 1000;
  if (span < 3) $("frames").textContent = (rate.frames / span).toFixed(0);
  rate = { frames: 0, at: now };
  // Of the run's own time, so that pauses and measurements do not count.
  const last = seconds.length - 1;
  let first = last;
  while (first > 0 && seconds[last] - seconds[first] < SPAN) first--;
  if (seconds[last] > seconds[first]) $("speed").textContent = short((last - first) / (seconds[last] - seconds[first]));
}

/** The call of the next frame, if one is awaited; and whether one is at work. */
let pending = null;
let working = false;

function next() {
  if (!running || pending || working) return;
  if (!document.hidden) {
    const call = requestAnimationFrame(frame);
    pending = () => cancelAnimationFrame(call);
  } else if ($("hidden").value === "slow") {
    const call = setTimeout(() => frame(performance.now()), 250);
    pending = () => clearTimeout(call);
  } else {
    status(`Paused while the tab is hidden, at iteration ${done()}`);
  }
}

async function frame(now) {
  pending = null;
  if (!running) return;
  working = true;
  try {
    await advance(now);
  } catch (error) {
    failed(error);
  } finally {
    working = false;
  }
  next();
}

async function advance(now) {
  if (!busy) {
    run.advance(document.hidden ? 100 : SHARE);
    collect();
    const at = done();
    const over = at >= total() && run.unfinished === 0;
    if (now - drawn > 200 || over) {
      drawn = now;
      status(`Iteration ${at} of ${total()}`);
      $("progress").value = at / total();
      curves();
    }
    const every = $("every").valueAsNumber;
    if (every > 0 && about.test > 0 && at >= measureNext && at < total()) {
      measureNext = (Math.floor(at / every) + 1) * every;
      if (at > 0) await measure();
    } else if (over) {
      await finish();
      return;
    } else if (now - keptAt > KEPT) {
      await alone(keep);
    } else if (!reading && now - lastPicture > PICTURE && snapshots.at(-1)?.iteration !== at) {
      // The run goes on meanwhile.
      reading = true;
      lastPicture = now;
      look().catch(failed).finally(() => { reading = false; });
    }
  }
  rates(now);
}

async function finish() {
  running = false;
  await alone(look);
  status(`Done: ${total()} iterations`);
  say(`Done after ${total()} iterations, loss ${short(losses.at(-1))}`);
  refresh();
  if ($("every").valueAsNumber > 0 && about.test > 0 && curve.at(-1)?.[0] !== done()) await measure();
}

const notes = () => JSON.stringify({ losses, seconds, curve, evaluating });

/** The state, so that a lost device is no lost run. */
async function keep() {
  const saved = await run.checkpoint("");
  collect();
  // With the losses that have arrived until now.
  kept?.free();
  kept = saved;
  keptAt = performance.now();
  return saved;
}

/** The state with its history, as the command line keeps it. */
async function checkpoint() {
  (await run.checkpoint("")).free();
  collect();
  return run.checkpoint(notes());
}

const pause = () => {
  running = false;
  collect();
  status(`Paused at iteration ${done()}`);
  say(`Paused at iteration ${done()}`);
  refresh();
  alone(look).then(refresh).catch(failed);
};

const isDue = () => $("pending").classList.contains("due");

const start = guarded(async () => {
  if (done() === 0 && isDue()) {
    // Nothing is lost by beginning with the settings that are seen.
    await reset();
    if (isDue()) return;
  }
  guest = null;
  running = true;
  if (measuring) status("The run goes on after the measurement");
  $("snapshot").value = $("snapshot").max;
  rate = { frames: 0, at: performance.now() };
  begin();
  say("Running");
  refresh();
  next();
});

const step = guarded(async () => {
  guest = null;
  await alone(async () => {
    begin();
    run.step();
    await look();
    // Its loss arrives with the same submission, or a moment later.
    for (let tries = 0; tries < 500 && losses.length < done(); tries++) {
      collect();
      await new Promise((later) => setTimeout(later, 10));
    }
  });
  status(`Iteration ${done()} of ${total()}`);
  say(`Iteration ${done()}, loss ${short(losses.at(-1) ?? 0)}`);
  refresh();
});

// ---- accuracy ----

async function trained(images, words) {
  leave = false;
  $("measuring").hidden = false;
  $("measured").value = 0;
  $("measuring-text").textContent = words;
  say(words);
  const between = async (part) => {
    $("measured").value = part;
    // The browser draws before the next epoch; a hidden tab waits if that was asked for.
    await new Promise((later) => (document.hidden ? setTimeout(later, 50) : requestAnimationFrame(later)));
    while (document.hidden && $("hidden").value === "pause" && !leave) await new Promise((later) => setTimeout(later, 250));
    return !leave;
  };
  const runs = await evaluate(device, data, images, JSON.stringify(evaluation()), between);
  if (!runs.length) return null;
  const mean = runs.reduce((sum, one) => sum + one, 0) / runs.length;
  const std = Math.sqrt(runs.reduce((sum, one) => sum + (one - mean) ** 2, 0) / runs.length);
  return { mean, std, runs: [...runs] };
}

const percent = ({ mean, std, runs }) => (runs.length > 1 ? `${mean.toFixed(1)} ± ${std.toFixed(1)} %` : `${mean.toFixed(1)} %`);

const measure = guarded(async () => {
  if (measuring) return;
  measuring = true;
  refresh();
  try {
    await alone(measured);
  } finally {
    measuring = false;
    // The button that stops it goes.
    const stopped = document.activeElement === $("leave");
    $("measuring").hidden = true;
    refresh();
    if (stopped) $("measure").focus({ preventScroll: true });
  }
});

async function measured() {
  const begun = performance.now();
  if (guest) {
    const accuracy = await trained(guest.set, `Training networks on ${guest.title}…`);
    if (accuracy) status(`${guest.title}: ${percent(accuracy)}`), say(`${guest.title} reaches ${percent(accuracy)}`);
    return;
  }
  const at = done();
  const images = await run.images();
  const accuracy = await trained(images, `Training networks on the images of iteration ${at}…`);
  images.free();
  evaluating += (performance.now() - begun) / 1000;
  if (running) collect();
  if (accuracy) {
    curve = [...curve.filter(([measured]) => measured !== at), [at, accuracy]].sort(([a], [b]) => a - b);
    say(`Accuracy after ${at} iterations: ${percent(accuracy)}`);
  }
  // What it took is not the run's time.
  if (running) begin();
  curves();
}

// ---- data ----

function describe(words) {
  const { name, classes, channels, size, train, test } = about;
  const some = classes.length > 12 ? `${classes.slice(0, 10).join(", ")} and ${classes.length - 10} more` : classes.join(", ");
  const kind = channels === 1 ? "grey" : "colour";
  $("data-about").textContent = words ?? `${name}: ${train} ${kind} training images and ${test} test images of ${size}×${size} pixels in ${classes.length} classes: ${some}`;
}

async function take(fresh, name) {
  running = false;
  leave = true;
  await alone(async () => {
    forget();
    data?.free();
    data = fresh;
    command = name;
    about = JSON.parse(data.about());
    // A device that tells nothing may be a CPU or a phone: what takes minutes anywhere. Everything can be changed.
    recipe = JSON.parse(data.recipe("small", Math.min(10, about.smallest)));
    fill(recipe);
    $("every").value = 50;
  });
  describe();
  await reset();
}

const open = guarded(async (found) => {
  if (!data) throw Object.assign(new Error("The page is not ready yet, or has no graphics device. Drop it again in a moment."), { name: "File" });
  const said = (words) => describe(words);
  try {
    const what = await read(found, { data, idx: $("idx").value, size: number("side"), said });
    if (what.data) {
      await take(what.data, what.name);
      say(`${about.name} was read: ${about.train} training images`);
    } else if (what.saved) {
      if (what.saved.dataset === "glyphs" && about.name !== "glyphs") await take(Data.known("glyphs", []), "glyphs");
      if (what.saved.dataset !== about.name) {
        throw Object.assign(new Error(`The checkpoint was made with the data set ${what.saved.dataset}, and ${about.name} is loaded. Drop the files of ${what.saved.dataset} first.`), { name: "File" });
      }
      await resume(what.saved, `Resumed at iteration ${what.saved.iteration}`);
    } else {
      guest = { title: what.title, set: what.images, images: { pixels: Uint8ClampedArray.from(what.images.pixels()), labels: [...what.images.labels] } };
      if (running) pause();
      show();
      status(`${what.title}: ${guest.images.labels.length} images`);
      if (about.test > 0) await measure();
    }
  } finally {
    describe();
    refresh();
  }
});

// ---- files ----

const download = guarded(async (format) => {
  const wasRunning = running;
  running = false;
  if (measuring) status("The file follows after the measurement");
  const name = `${about.name.replace(/[^\w.-]+/g, "_")}-ipc${settingsNow().ipc}`;
  await alone(async () => {
    const accuracies = curve.find(([at]) => at === done())?.[1].runs ?? [];
    if (format === "png") {
      await look();
      save(`${name}-grid.png`, await png(snapshots.at(-1).images, about));
    } else if (format === "html") {
      await look();
      save(`${name}-report.html`, html({ first: beginning, last: snapshots.at(-1), about, facts: facts(), charts: [["Loss by iteration", $("loss-chart")], ["Accuracy by iteration, in per cent", $("accuracy-chart")]] }), "text/html");
    } else if (format === "checkpoint") {
      const saved = await checkpoint();
      save("checkpoint.safetensors", saved.file());
      saved.free();
    } else if (format === "folder") {
      const saved = await checkpoint();
      save(`${name}.zip`, run_folder(device, saved, name, JSON.stringify(evaluation())), "application/zip");
      saved.free();
    } else {
      const images = await run.images();
      save(`${name}.${format}`, images.file(format, Float64Array.from(accuracies)));
      images.free();
    }
  });
  if (wasRunning) start();
});

function facts() {
  const settings = settingsNow();
  const last = curve.at(-1);
  return [
    ["data set", `${about.name}: ${about.train} + ${about.test} images of ${about.channels}×${about.size}×${about.size}`],
    ["iterations", `${done()} of ${settings.iterations}`],
    ["loss", losses.length ? `${short(losses[0])} → ${short(losses.at(-1))}` : "–"],
    ["accuracy", last ? `${percent(last[1])} after ${last[0]} iterations (${last[1].runs.length} networks)` : "not measured"],
    ["seconds", `${elapsed().toFixed(1)}, and ${evaluating.toFixed(1)} for accuracy`],
    ["adapter", $("adapter").textContent],
    ...Object.entries(settings).map(([key, value]) => [key, typeof value === "object" ? JSON.stringify(value) : value]),
  ];
}

// ---- the device ----

const WITHOUT = "This browser offers no WebGPU, with which the page computes. Chrome and Edge have it from version 113 (on Linux and Android from later ones), Safari from version 26, Firefox on Windows from version 141 and on Macs with Apple's own chips from version 145. Elsewhere, dm-wgpu's command line does the same.";

async function describeAdapter() {
  const info = (await navigator.gpu.requestAdapter())?.info;
  const name = device.name || [info?.vendor, info?.architecture, info?.device].filter(Boolean).join(" ") || "not named by the browser";
  $("adapter").textContent = `Adapter: ${name} (WebGPU, ${device.kernels} kernels${device.features.length ? `, ${device.features.join(", ")}` : ""})`;
}

async function openDevice() {
  const one = await Device.open((why) => {
    if (device !== one) return;
    running = false;
    leave = true;
    device = null;
    status("The graphics device was lost");
    problem(`The graphics device was lost: ${why || "the browser does not say why"}.${kept ? ` The run is kept as it was at iteration ${kept.iteration}.` : ""}`, ["Open it again", reopen]);
  });
  device = one;
  await describeAdapter();
}

/** A new device, and the run as it was kept last. */
const reopen = guarded(async () => {
  status("Opening the graphics device…");
  const [saved, history] = [kept, { losses, seconds, curve, evaluating }];
  kept = null;
  await openDevice();
  if (!saved) return reset();
  const notes = { ...history, losses: history.losses.slice(0, saved.iteration), seconds: history.seconds.slice(0, saved.iteration), curve: history.curve.filter(([at]) => at <= saved.iteration) };
  await resume(saved, `Resumed at iteration ${saved.iteration}`);
  ({ losses, seconds, curve, evaluating } = notes);
  refresh();
});

// ---- wiring ----

$("augment").append(...AUGMENTATIONS.map((name) => {
  const label = document.createElement("label");
  const box = Object.assign(document.createElement("input"), { type: "checkbox", id: `augment-${name}` });
  label.append(box, name);
  return label;
}));
$("start").addEventListener("click", () => (running ? guarded(pause)() : start()));
$("step").addEventListener("click", step);
$("reset").addEventListener("click", () => (device ? reset() : reopen()));
$("measure").addEventListener("click", measure);
$("leave").addEventListener("click", () => { leave = true; });
$("snapshot").addEventListener("input", () => { guest = null; show(); });
$("latest").addEventListener("click", () => {
  guest = null;
  $("snapshot").value = $("snapshot").max;
  status(`Iteration ${done()} of ${total()}`);
  // The button goes, and what it belongs to stays.
  $("snapshot").focus();
  show();
});
for (const button of document.querySelectorAll("[data-format]")) button.addEventListener("click", () => download(button.dataset.format));
$("controls").addEventListener("submit", (event) => event.preventDefault());
$("controls").addEventListener("input", guarded((event) => {
  if (!run) return;
  if (event.target.id === "lr") {
    const rate = event.target.valueAsNumber;
    if (event.target.checkValidity() && rate > 0) alone(() => run.set_lr_img(rate)).catch(failed);
    return;
  }
  if (["iterations", "every", "nets", "epochs", "hidden"].includes(event.target.id)) return;
  if (!isDue()) say("This takes effect with the next reset");
  $("pending").classList.add("due");
}));
for (const field of document.querySelectorAll("input[type=number]")) field.required = true;
// The browser says what is wrong with a number.
addEventListener("change", (event) => { event.target.reportValidity?.(); });
// A run that goes on would be lost.
addEventListener("beforeunload", (event) => { if (running) event.preventDefault(); });
$("iterations").addEventListener("change", guarded(() => {
  if (run && $("iterations").checkValidity() && number("iterations") !== total()) extend(number("iterations"));
}));
$("glyphs").addEventListener("click", guarded(() => take(Data.known("glyphs", []), "glyphs")));
for (const id of ["files", "folder"]) {
  $(id).addEventListener("change", () => {
    const found = [...$(id).files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
    $(id).value = "";
    open(found);
  });
}
for (const kind of ["dragenter", "dragover"]) addEventListener(kind, (event) => { event.preventDefault(); $("drop").classList.add("over"); });
addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
addEventListener("drop", guarded(async (event) => {
  event.preventDefault();
  $("drop").classList.remove("over");
  await open(await dropped(event.dataTransfer));
}));
document.addEventListener("visibilitychange", () => { 
  // Another clock calls from now on.
  pending?.();
  pending = null;
  if (running) { if (!document.hidden) begin(); next(); }
});
addEventListener("resize", () => { show(); if (run) curves(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
addEventListener("unhandledrejection", (event) => failed(event.reason));

async function main() {
  if (!navigator.gpu) {
    status("No WebGPU");
    return problem(isSecureContext ? WITHOUT : "Browsers offer WebGPU only to pages that come over https, or from localhost. Open this page in one of these ways.");
  }
  await init({ module_or_path: new URL("dm_wgpu_bg.wasm", import.meta.url) });
  try {
    await openDevice();
  } catch (error) {
    status("No graphics device");
    return problem(`The browser has WebGPU, but no graphics device for it. Is hardware acceleration turned off in its settings, or is the driver too old?\n${error.message}`, ["Try again", () => location.reload()]);
  }
  await take(Data.known("glyphs", []), "glyphs");
}
main().catch(failed);
