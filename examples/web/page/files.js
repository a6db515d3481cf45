// Reads what people drop: finds out what it is, and makes a data set, a set or a checkpoint of it.
import { Data, Dropped, Images, Saved } from "./dm_wgpu.js";

const PICTURE = /\.(png|jpe?g|webp|bmp|gif|avif)$/i;
const MOST_BYTES = 2 ** 30;
/** Names that a folder of training pictures, and one beside it, may have. */
const [TRAIN, TEST] = [/^train(ing)?$/i, /^(test|val|valid|validation)$/i];

class FileError extends Error {
  name = "File";
}

/** The files of a drop, those of folders included, each with its path. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  const read = async (entry, before) => {
    const path = before ? `${before}/${entry.name}` : entry.name;
    if (entry.isFile) {
      found.push({ file: await new Promise((done, failed) => entry.file(done, failed)), path });
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A browser returns a hundred at a time.
      const some = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!some.length) return;
      for (const one of some) await read(one, path);
    }
  };
  for (const entry of entries) await read(entry, "");
  return found;
}

async function bytes(file) {
  if (file.size > MOST_BYTES) throw new FileError(`${file.name} has ${(file.size / 2 ** 30).toFixed(1)} GiB; a tab takes 1 GiB at most. Use the command line for it.`);
  return new Uint8Array(await file.arrayBuffer());
}

/** The metadata of a safetensors file, or nothing. */
function metadata(content) {
  try {
    const length = Number(new DataView(content.buffer, content.byteOffset).getBigUint64(0, true));
    return JSON.parse(new TextDecoder().decode(content.subarray(8, 8 + length))).__metadata__ ?? {};
  } catch {
    return {};
  }
}

/** Files of a set that the library knows, from earlier drops too: [set's name, file's name]. */
function published(name, idx) {
  const plain = name.replace(/\.gz$/i, "").replace(/[ .]idx([13])/, "-idx$1");
  if (/^(train|t10k)-(images-idx3|labels-idx1)-ubyte$/.test(plain)) return [idx, plain];
  if (/^(data_batch_[1-5]|test_batch)\.bin$/.test(plain) || plain === "batches.meta.txt") return ["cifar10", plain];
  if (/^(train|test)\.bin$/.test(plain) || plain === "fine_label_names.txt") return ["cifar100", plain];
  if (/^(train|test)_32x32\.mat$/.test(plain)) return ["svhn", plain];
  return null;
}

let waiting = { set: "", files: new Map() };

async function known(found, idx, said) {
  const set = published(found[0].file.name, idx)[0];
  if (waiting.set !== set) waiting = { set, files: new Map() };
  for (const { file } of found) {
    const one = published(file.name, idx);
    if (one?.[0] === set) waiting.files.set(one[1], await bytes(file));
  }
  said(`Reading ${set}…`);
  // They are kept until all are there: people drop them one after the other.
  const data = Data.known(set, [...waiting.files].map(([name, content]) => new Dropped(name, content)));
  waiting = { set: "", files: new Map() };
  return { data, name: set };
}

/** One picture as pixels: its middle square, resampled. */
async function decoded(file, path, size, canvas) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new FileError(`${path} is no picture that this browser can read. Take it out of the folder, or save it as PNG.`);
  }
  const side = Math.min(bitmap.width, bitmap.height);
  const to = canvas.getContext("2d", { willReadFrequently: true });
  to.imageSmoothingQuality = "high";
  // Transparent pixels lie on white paper.
  to.fillStyle = "#fff";
  to.fillRect(0, 0, size, size);
  to.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, size, size);
  bitmap.close();
  return to.getImageData(0, 0, size, size).data;
}

async function pictures(found, size, said) {
  const parts = found.filter(({ path }) => PICTURE.test(path) && !/(^|\/)[.]/.test(path)).map((one) => ({ ...one, names: one.path.split("/") }));
  const shallow = parts.find((one) => one.names.length < 2);
  if (shallow) throw new FileError(`${shallow.path} lies in no class. Put the pictures of each class into a sub-folder of its name, and drop the folder around them.`);
  const part = (one) => (one.names.length > 2 ? one.names.at(-3) : "");
  const test = parts.filter((one) => TEST.test(part(one)));
  let train = parts.filter((one) => TRAIN.test(part(one)));
  if (!train.length) train = parts.filter((one) => !test.includes(one));
  const class_ = (one) => one.names.at(-2);
  const classes = [...new Set(train.map(class_))].sort();
  if (!classes.length) throw new FileError("There is no training picture: beside the folder of the test there should be one called train.");
  if (classes.length === 1) throw new FileError(`All pictures lie in ${classes[0]}, which would be the only class. Put the pictures of each class into a sub-folder of its name, and drop the folder around them.`);
  // By name within each class, so that the same folder is the same data set.
  const order = (a, b) => (class_(a) < class_(b) ? -1 : class_(a) > class_(b) ? 1 : a.path < b.path ? -1 : 1);
  train.sort(order);
  let aside = test.sort(order);
  if (!aside.length) {
    const seen = new Map();
    const isTest = train.map((one) => { const n = (seen.get(class_(one)) ?? 0) + 1; seen.set(class_(one), n); return n % 5 === 0; });
    aside = train.filter((_, at) => isTest[at]);
    train = train.filter((_, at) => !isTest[at]);
  }
  const odd = aside.find((one) => !classes.includes(class_(one)));
  if (odd) throw new FileError(`${odd.path} is a test picture of the class ${class_(odd)}, which has no training picture.`);
  const all = [...train, ...aside];
  if (all.length * size * size * 3 > MOST_BYTES) throw new FileError(`${all.length} pictures of ${size}×${size} pixels take more than the 1 GiB that a tab has. Choose a smaller size.`);
  const canvas = Object.assign(document.createElement("canvas"), { width: size, height: size });
  const plane = size * size;
  let colour = new Uint8Array(all.length * 3 * plane);
  let grey = true;
  for (const [at, { file, path }] of all.entries()) {
    const rgba = await decoded(file, path, size, canvas);
    for (let i = 0; i < plane; i++) {
      const [r, g, b] = [rgba[4 * i], rgba[4 * i + 1], rgba[4 * i + 2]];
      grey &&= r === g && g === b;
      const to = at * 3 * plane + i;
      colour[to] = r; colour[to + plane] = g; colour[to + 2 * plane] = b;
    }
    if (at % 50 === 0) said(`Reading pictures: ${at} of ${all.length}…`);
  }
  const channels = grey ? 1 : 3;
  if (grey) {
    const planes = new Uint8Array(all.length * plane);
    for (let at = 0; at < all.length; at++) planes.set(colour.subarray(at * 3 * plane, (at * 3 + 1) * plane), at * plane);
    colour = planes;
  }
  const split = train.length * channels * plane;
  const labels = (of) => Uint32Array.from(of, (one) => classes.indexOf(class_(one)));
  const name = parts[0].names.length > 2 && !TRAIN.test(parts[0].names[0]) ? parts[0].names[0] : "pictures";
  return { data: Data.arrays(name, classes, channels, size, colour.subarray(0, split), labels(train), colour.subarray(split), labels(aside)), name: null };
}

/**
 * What was dropped, as one of { data, name }, { images, title }, { saved }. `data` is the present data set, for which a
 * set is read; `name` is what the command line calls the data, if it knows it.
 */
export async function read(found, { data, idx, size, said }) {
  if (!found.length) throw new FileError("Nothing was dropped that can be read: drop files or a folder.");
  if (found.length === 1) {
    const [{ file }] = found;
    if (/\.safetensors$/i.test(file.name)) {
      const content = await bytes(file);
      if (metadata(content).format === "dm-wgpu checkpoint") return { saved: Saved.read(content) };
      return { images: Images.read(file.name, content, data), title: file.name };
    }
    if (/\.npz$/i.test(file.name)) {
      const content = await bytes(file);
      try {
        return { data: Data.npz(file.name, content), name: null };
      } catch (error) {
        // Floats are a synthetic set's.
        if (!/floats/.test(error.message)) throw error;
        return { images: Images.read(file.name, content, data), title: file.name };
      }
    }
  }
  if (found.some(({ path }) => PICTURE.test(path))) return pictures(found, size, said);
  const sets = found.filter(({ file }) => published(file.name, idx));
  if (sets.length) return known(sets, idx, said);
  const saved = found.find(({ file }) => file.name === "checkpoint.safetensors");
  if (saved) return { saved: Saved.read(await bytes(saved.file)) };
  const names = found.slice(0, 3).map(({ path }) => path).join(", ");
  throw new FileError(`${names}: no data set, synthetic set or checkpoint that is known here. “What can be dropped” lists what can be read.`);
}
