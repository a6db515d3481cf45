// What the page makes as files of its own: the picture grid, and a page that shows a run.
import { paint } from "./view.js";

const LIGHT = { paper: "#eeeeee", ink: "#1d1f23" };

function grid(images, about) {
  const canvas = document.createElement("canvas");
  paint(canvas, images, about, 1200, 1, LIGHT);
  return canvas;
}

export const png = (images, about) => new Promise((done, failed) =>
  grid(images, about).toBlob((blob) => (blob ? done(blob) : failed(new Error("The browser could not make a PNG of so many images."))), "image/png"));

const escaped = (text) => String(text).replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign]);

/** A page in one file: images before and after, curves, settings. */
export function html({ first, last, about, facts, charts }) {
  const picture = (images, words) => `<figure><figcaption>${escaped(words)}</figcaption><img alt="${escaped(words)}: one row per class" src="${grid(images, about).toDataURL("image/png")}"></figure>`;
  const rows = facts.map(([name, value]) => `<tr><th scope="row">${escaped(name)}</th><td>${escaped(value)}</td></tr>`).join("\n");
  const curves = charts.map(([title, place]) => `<figure><figcaption>${escaped(title)}</figcaption>${place.querySelector("svg")?.outerHTML ?? "<p>nothing measured</p>"}</figure>`).join("\n");
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(about.name)}, condensed in a browser</title>
<style>
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:0 auto;padding:1rem}
img{max-width:100%;image-rendering:pixelated}figure{margin:0 0 1rem}figcaption,th{color:GrayText}
th{text-align:left;font-weight:400;padding-right:1rem}svg{width:100%;height:10rem}
.line{fill:none;stroke:Highlight;stroke-width:1.6;vector-effect:non-scaling-stroke}.dot{fill:Highlight}.axis{stroke:GrayText}text{fill:GrayText;font-size:12px}
</style></head><body>
<h1>${escaped(about.name)}, condensed in a browser</h1>
${picture(last.images, `The images after ${last.iteration} iterations`)}
${first.iteration === last.iteration ? "" : picture(first.images, `The images after ${first.iteration} iterations`)}
${curves}
<table>${rows}</table>
</body></html>
`;
}

/** Hands a file to the person. */
export function save(name, content, type = "application/octet-stream") {
  const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  // The browser has to have read it before.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
