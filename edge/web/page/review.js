// Review: one picture at a time, one key for each label.
import { askJson, find, labelButtons, make, outcomeWord, percent, pressKey, send, showLabel, thumbnail, trouble, when } from "./dom.js";

const GROUPS = { todo: (one) => ["unknown", "unsure", "wrong"].includes(one.why), sure: (one) => one.why === "sure", labelled: (one) => one.why === "labelled" };
const DONE = {
  todo: ["Nothing waits for a label", "What the bin does not know, or is not sure of, comes here."],
  sure: ["No picture of a sure decision is kept", "They come with the next items."],
  labelled: ["Nothing is labelled yet", "What you label, here or at Live, comes here."],
};
const WHY = { unknown: "it did not know", unsure: "it was not sure", wrong: "somebody called it wrong", labelled: "labelled", sure: "it was sure" };

let folds = [];
let which = "todo";
let index = 0;
let labels = [];
let last = null;
let held = null;
// How many words, said in any browser, are known here.
export let numSaid = -1;
let isHere = false;
let hasLabelled = false;

export function begin() {
  for (const button of document.querySelectorAll("#review .chips button")) {
    button.append(" ", make("small"));
    button.onclick = () => { held = null; which = button.dataset.which; index = 0; draw(); };
  }
  find("review-new").onsubmit = (event) => {
    event.preventDefault();
    const name = find("review-name").value.trim();
    if (!name) return;
    find("review-name").value = "";
    say(name);
  };
  document.addEventListener("keydown", pressed);
}

export function meet(page) {
  labels = [...page.labels];
  numSaid = -1;
}

export async function enter() {
  isHere = true;
  try {
    ({ folds, has_labelled: hasLabelled, num_said: numSaid } = await askJson("/api/review"));
  } catch (error) {
    showEmpty("The items cannot be shown", trouble(error));
    return;
  }
  for (const one of folds) if (one.label && !labels.includes(one.label)) labels.push(one.label);
  held = null;
  index = 0;
  draw();
}

/** What was said in another browser holds here, too; only what is looked at stays until one moves on. */
export function hear({ number, words }) {
  if (words.length === 0) return;
  numSaid = number;
  const heard = new Map(words.map(({ id, label }) => [id, label]));
  const one = shown()[index];
  let isNews = false;
  for (const spoken of folds) {
    const label = heard.get(spoken.ids[0]);
    // Of alike ones all must have been said the same: somebody may have spoken of a single one.
    if (label === undefined || label === word(spoken) || spoken.ids.some((id) => heard.get(id) !== label)) continue;
    mark(spoken, label);
    isNews = true;
  }
  if (!isHere || !isNews) return;
  held = one;
  index = shown().indexOf(one);
  draw();
}

/** What was said of it: a label; null: it was wrong; undefined: nothing. */
const word = (one) => one.label ?? (one.why === "wrong" ? null : undefined);

function mark(one, label) {
  if (label !== null && !labels.includes(label)) labels.push(label);
  one.label = label;
  one.why = label === null ? "wrong" : "labelled";
}

export function leave() { isHere = false; }

const shown = () => folds.filter((one) => GROUPS[which](one) || one === held);

function pressed(event) {
  if (!isHere || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input") || find("detail").open) return;
  if (event.key === "ArrowRight") move(1);
  else if (event.key === "ArrowLeft") move(-1);
  else if (event.key === "u" && last) { which = Object.keys(GROUPS).find((name) => GROUPS[name](last)); go(last); }
  else if (!pressKey(find("review-labels"), event)) return;
  event.preventDefault();
}

function move(step) {
  const list = shown();
  go(list[Math.max(0, Math.min(list.length - 1, index + step))]);
}

function go(one) {
  held = null;
  index = Math.max(0, shown().indexOf(one));
  draw();
}

// One after the other: a key that is pressed while the last word is still on its way is meant for the next item.
let turn = Promise.resolve();
const say = (label) => { turn = turn.then(() => sayNow(label)); };

async function sayNow(label) {
  const one = shown()[index];
  if (!one) return;
  try {
    await send("/api/review/label", { ids: one.ids, label });
  } catch (error) {
    find("review-reason").textContent = trouble(error);
    return;
  }
  mark(one, label);
  last = one;
  held = null;
  // What was labelled leaves the list, and the next one takes its place.
  if (shown()[index] === one) index += 1;
  draw();
}

function showEmpty(title, words) {
  find("review-one").hidden = true;
  find("review-empty").hidden = false;
  find("review-empty").replaceChildren(make("h2", { textContent: title }), make("p", { className: "soft", textContent: words }));
}

function draw() {
  const list = shown();
  index = Math.max(0, Math.min(list.length - 1, index));
  for (const button of document.querySelectorAll("#review .chips button")) {
    button.setAttribute("aria-pressed", String(button.dataset.which === which));
    button.lastChild.textContent = folds.filter(GROUPS[button.dataset.which]).length;
  }
  find("export").hidden = !(hasLabelled || folds.some(GROUPS.labelled));
  if (list.length === 0) { showEmpty(...DONE[which]); return; }
  find("review-one").hidden = false;
  find("review-empty").hidden = true;
  const one = list[index];
  const [image, caption] = find("review-picture").children;
  image.src = `/api/pictures/${one.ids[0]}.jpg`;
  image.alt = one.guess ? `An item, taken for ${one.guess}` : "An item";
  caption.textContent = one.ids.length > 1 ? `${WHY[one.why]} · ${one.ids.length} alike` : WHY[one.why];
  find("review-count").textContent = `${index + 1} of ${list.length} · ${when(one.ts)}`;
  if (one.label) showLabel(find("review-guess"), "You say: ", one.label);
  else if (one.guess) showLabel(find("review-guess"), "Taken for ", one.guess, `, ${percent(one.confidence)}`);
  else find("review-guess").textContent = outcomeWord(one.outcome);
  find("review-reason").textContent = one.reason;
  labelButtons(find("review-labels"), labels, say, word(one));
  const strip = find("review-strip");
  const hadFocus = strip.contains(document.activeElement);
  strip.replaceChildren(...list.map((other, position) => {
    const button = make("button", { type: "button", "aria-label": [`Item ${position + 1}`, other.label ?? other.guess].filter(Boolean).join(": ") }, thumbnail(other.ids[0]), other.ids.length > 1 ? make("span", { className: "many", textContent: `×${other.ids.length}` }) : null, other.label ? make("span", { className: "said", textContent: other.label }) : null);
    if (position === index) button.setAttribute("aria-current", "true");
    button.onclick = () => go(other);
    return make("li", {}, button);
  }));
  const current = strip.children[index];
  strip.scrollLeft = current.offsetLeft - strip.clientWidth / 2 + current.clientWidth / 2;
  if (hadFocus) current.firstChild.focus();
}
