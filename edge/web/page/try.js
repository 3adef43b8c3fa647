// Try: a picture of one's own, its classes, and a heat map that grows as the network answers.
import { Refused, ask, find, make, percent, ranked, showBars, showLabel, trouble } from "./dom.js";

const MAX_BYTES = 8 * 1024 * 1024;
const MAX_PIXELS = 16e6;
const SMALLER_PX = 2048;

let turn = 0;
let scores = {};
let heat = {};
let rows = 0;
let picked = null;
let aborter = new AbortController();

export function begin() {
  const drop = find("drop");
  find("file").onchange = (event) => take(event.target.files[0]);
  // Anywhere on the page: a browser opens what is dropped beside, and the page is gone.
  for (const name of ["dragover", "drop", "dragleave"]) document.addEventListener(name, (event) => {
    if (find("try").hidden) return;
    event.preventDefault();
    drop.classList.toggle("over", name === "dragover");
    if (name === "drop") take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => { if (!find("try").hidden && event.clipboardData?.files.length) take(event.clipboardData.files[0]); });
  find("try-fade").oninput = paint;
}

export function meet() {}
export function enter() {}
export function leave() { turn += 1; aborter.abort(); }

async function take(file) {
  if (!file) return;
  leave();  // what was asked of the picture before is not waited for
  aborter = new AbortController();
  const mine = turn;
  find("try-error").textContent = "";
  try {
    const image = await opened(file);
    if (mine !== turn) return;
    URL.revokeObjectURL(find("try-image").src);
    find("try-image").src = image.src;
    find("try-seen").hidden = false;
    find("drop").classList.add("full");
    [scores, heat, rows, picked] = [{}, {}, 0, null];
    paint();
    await read(await small(file, image), mine);
  } catch (error) {
    if (mine !== turn) return;
    find("try-error").textContent = trouble(error);
    if (!picked) find("try-answer").hidden = true;  // what stands there is of the picture before
  } finally {
    find("file").value = "";
  }
}

/** The picture as the browser sees it; the one that is shown stays until this is known to be one. */
async function opened(file) {
  const image = make("img", { src: URL.createObjectURL(file) });
  try {
    await image.decode();
    if (image.naturalWidth) return image;
  } catch { /* told below */ }
  URL.revokeObjectURL(image.src);
  throw new Refused(0, `${file.name || "This"} is not a picture that a browser can show.`);
}

/** The file as it is, or scaled down where the bin would refuse it. */
async function small(file, image) {
  const pixels = image.naturalWidth * image.naturalHeight;
  if (file.size <= MAX_BYTES && pixels <= MAX_PIXELS && /^image\/(jpeg|png|webp)$/.test(file.type)) return file;
  const scale = Math.min(1, SMALLER_PX / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.naturalWidth * scale, image.naturalHeight * scale].map(Math.round);
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.93));
  if (!blob) throw new Refused(0, "This browser has no memory for so large a picture.");
  return blob;
}

async function read(body, mine) {
  const answer = await ask("/api/try", { method: "POST", headers: { "Content-Type": body.type }, body, signal: aborter.signal });
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (mine !== turn) { reader.cancel(); return; }
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) hear(JSON.parse(line));
  }
}

function hear(told) {
  if (told.scores) {
    scores = told.scores;
    rows = told.num_rows;
    picked = ranked(scores)[0][0];
    find("try-answer").hidden = false;
  }
  if (told.heat) for (const [label, row] of Object.entries(told.heat)) (heat[label] ??= []).push(row);
  draw();
}

function draw() {
  showLabel(find("try-title"), "", picked, `, ${percent(scores[picked])}`);
  showBars(find("try-scores"), scores, { limit: 8, picked, onPick: (label) => { picked = label; draw(); } });
  const isWhole = (heat[picked]?.length ?? 0) === rows;
  find("try-explained").textContent = isWhole
    ? `Warm: what speaks for ${picked}. Each part was covered in turn, and the network asked again. Pick another class to see what speaks for that one.`
    : "Covering one part after another…";
  paint();
}

/** A small picture of the drops, one pixel a part, which the browser makes smooth as it enlarges it. */
function paint() {
  const canvas = find("try-heat");
  const grid = heat[picked] ?? [];
  const context = canvas.getContext("2d");
  if (grid.length === 0) { canvas.width = canvas.height = 1; context.clearRect(0, 0, 1, 1); return; }
  const width = grid[0].length;
  // A tenth of the odds is little; without a floor, noise would glow as warmly as what matters.
  const strongest = Math.max(1, ...grid.flat());
  const tiny = new OffscreenCanvas(width, rows);
  const picture = tiny.getContext("2d").createImageData(width, rows);
  grid.forEach((row, y) => row.forEach((drop, x) => {
    const warmth = Math.max(0, drop) / strongest;
    picture.data.set([255, Math.round(214 - 150 * warmth), Math.round(90 - 60 * warmth), Math.round(235 * warmth)], 4 * (y * width + x));
  }));
  tiny.getContext("2d").putImageData(picture, 0, 0);
  [canvas.width, canvas.height] = [width * 32, rows * 32];
  context.imageSmoothingQuality = "high";
  context.drawImage(tiny, 0, 0, canvas.width, canvas.height);
  canvas.style.opacity = find("try-fade").value / 100;
}
