// Draws what is seen: the images on a canvas, curves as SVG.

/** The largest side of an image, and the height by width that the whole has at most if it can. */
const [LARGEST, TALLEST] = [112, 0.8];
const GAP = 2;

/** Where the images of each class stand: classes in rows, the rows in columns if they are short. */
export function layout(labels, classes, size, width, ratio) {
  const rows = classes.map(() => []);
  labels.forEach((label, image) => rows[label].push(image));
  const most = Math.max(1, ...rows.map((row) => row.length));
  const letters = Math.min(18, Math.max(...classes.map((name) => name.length)));
  const font = 13 * ratio;
  const label = Math.ceil(letters * font * 0.62 + 8 * ratio);
  const gap = GAP * ratio;
  let best;
  const consider = (columns, cell, perLine) => {
    const down = Math.ceil(classes.length / columns);
    const pitch = Math.max(Math.ceil(most / perLine) * (cell + gap), Math.ceil(font) + gap);
    const worth = cell * Math.min(1, (width * TALLEST) / (down * pitch));
    if (!best || worth >= best.worth) best = { columns, down, cell, perLine, pitch, worth };
  };
  const possible = classes.map((_, at) => at + 1).filter((columns) => (columns - 1) * Math.ceil(classes.length / columns) < classes.length);
  const room = (columns) => Math.floor(width / columns) - label - gap;
  for (const columns of possible) {
    const cell = Math.floor(room(columns) / most) - gap;
    // Whole multiples keep pixels square. Where not even one fits, images shrink, but not below what can be recognised.
    const scale = Math.min(Math.floor(cell / size), Math.max(1, Math.floor((LARGEST * ratio) / size)));
    if (scale >= 1) consider(columns, scale * size, most);
    else if (cell >= size / 2) consider(columns, cell, most);
  }
  // Or a class goes on in the next line.
  if (!best || best.cell < size) {
    for (const columns of possible) {
      const perLine = Math.floor(room(columns) / (size + gap));
      if (perLine >= 1) consider(columns, size, perLine);
    }
  }
  // A screen too narrow for anything shows what fits.
  if (!best) consider(1, size, 1);
  const { columns, down, cell, perLine, pitch } = best;
  const block = label + Math.min(most, perLine) * (cell + gap) + gap;
  return { rows, label, font, cell, gap, block, pitch, perLine, down, width: Math.min(width, columns * block), height: down * pitch + gap };
}

/** Paints images (RGBA, one below the other) with their classes' names; returns what was painted. */
export function paint(canvas, images, about, width, ratio, colours) {
  const { size, classes } = about;
  const place = layout(images.labels, classes, size, Math.floor(width * ratio), ratio);
  canvas.width = place.width;
  canvas.height = place.height;
  canvas.style.width = `${place.width / ratio}px`;
  const source = document.createElement("canvas");
  source.width = size;
  source.height = size * images.labels.length;
  source.getContext("2d").putImageData(new ImageData(images.pixels, size, source.height), 0, 0);
  const to = canvas.getContext("2d");
  to.fillStyle = colours.paper;
  to.fillRect(0, 0, canvas.width, canvas.height);
  to.imageSmoothingEnabled = false;
  to.fillStyle = colours.ink;
  to.textBaseline = "middle";
  to.font = `${place.font}px system-ui, sans-serif`;
  place.rows.forEach((row, at) => {
    const x = Math.floor(at / place.down) * place.block;
    const y = (at % place.down) * place.pitch + place.gap;
    const name = classes[at].length > 18 ? `${classes[at].slice(0, 17)}…` : classes[at];
    to.fillText(name, x + place.gap, y + place.cell / 2, place.label - 2 * place.gap);
    row.forEach((image, number) => to.drawImage(source, 0, image * size, size, size,
      x + place.label + (number % place.perLine) * (place.cell + place.gap),
      y + Math.floor(number / place.perLine) * (place.cell + place.gap), place.cell, place.cell));
  });
}

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, LEFT, BOTTOM] = [600, 144, 44, 20];

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

export const short = (value) => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : Math.abs(value) >= 0.1 ? 2 : 4;
  return value.toFixed(digits);
};

/** A curve of [x, y] points; few points are dots as well. `word` names what they are for those who do not see them; the axis
 *  spans at least so much, so that noise does not look like a slope. */
export function chart(place, points, last, word, least = 0, most = Infinity) {
  if (!points.length) {
    const none = document.createElement("p");
    none.className = "none";
    none.textContent = "nothing measured yet";
    place.replaceChildren(none);
    return;
  }
  const width = Math.max(240, place.clientWidth || WIDTH);
  const values = points.map((point) => point[1]);
  let [low, high] = [Math.min(...values), Math.max(...values)];
  if (high - low < least) [low, high] = [(low + high - least) / 2, (low + high + least) / 2];
  if (high > most) [low, high] = [low - (high - most), most];
  if (high - low < 1e-9) [low, high] = [low - Math.max(1e-3, Math.abs(low) * 0.1), high + Math.max(1e-3, Math.abs(high) * 0.1)];
  const right = Math.max(1, last);
  const x = (value) => LEFT + ((width - LEFT - 8) * value) / right;
  const y = (value) => 8 + ((HEIGHT - BOTTOM - 8) * (high - value)) / (high - low);
  const svg = element("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", preserveAspectRatio: "none",
    "aria-label": `${word}: from ${short(values[0])} to ${short(values.at(-1))} in ${points.at(-1)[0]} iterations` });
  svg.append(
    element("line", { class: "axis", x1: LEFT, y1: 8, x2: LEFT, y2: HEIGHT - BOTTOM }),
    element("line", { class: "axis", x1: LEFT, y1: HEIGHT - BOTTOM, x2: width - 8, y2: HEIGHT - BOTTOM }),
    element("text", { x: LEFT - 6, y: 12, "text-anchor": "end" }, short(high)),
    element("text", { x: LEFT - 6, y: HEIGHT - BOTTOM, "text-anchor": "end" }, short(low)),
    element("text", { x: LEFT, y: HEIGHT - 4 }, "0"),
    element("text", { x: width - 8, y: HEIGHT - 4, "text-anchor": "end" }, String(last)));
  // More points than pixels show nothing more.
  const every = Math.ceil(points.length / 1000);
  const shown = points.filter((_, at) => at % every === 0 || at === points.length - 1);
  svg.append(element("polyline", { class: "line", points: shown.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join(" ") }));
  if (shown.length < 40) {
    for (const [at, value] of shown) svg.append(element("circle", { class: "dot", cx: x(at), cy: y(value), r: 2.5 }));
  }
  place.replaceChildren(svg);
}
