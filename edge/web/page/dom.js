// Small things that every part needs: elements, requests, words.

export const find = (id) => document.getElementById(id);

/** An element with properties and children; text never becomes markup. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("aria-") || name === "for" || name === "role") element.setAttribute(name, value);
    else if (name === "data") Object.assign(element.dataset, value);
    else element[name] = value;
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

// What is asked on a network that has died is never answered, and never refused.
const PATIENCE_MS = 20000;

/** The answer of the bin; a refusal is thrown with the bin's own words. Without a signal it is waited for 20 s. */
export async function ask(path, options = {}) {
  const answer = await fetch(path, { credentials: "same-origin", cache: "no-store", signal: patience(PATIENCE_MS), ...options });
  if (answer.ok) return answer;
  const told = await answer.json().catch(() => ({}));
  if (answer.status === 401) document.dispatchEvent(new Event("locked"));
  throw new Refused(answer.status, told.error ?? `the bin answered ${answer.status}`);
}

export const askJson = async (path, options) => (await ask(path, options)).json();

export const send = (path, content, method = "POST") =>
  ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(content ?? {}) });

/** What to tell of an error: the bin's own words, or that there were none. */
export const trouble = (error) => (error instanceof Refused ? error.message : "The bin does not answer. Is it switched on?");

/** A signal that gives up on an answer: a bin that is unplugged, or hangs, refuses nothing and is silent. */
export function patience(ms, aborter = new AbortController()) {
  setTimeout(() => aborter.abort(), ms);
  return aborter.signal;
}

export const pause = (ms) => new Promise((resume) => setTimeout(resume, ms));

export const percent = (share) => `${Math.round(share * 100)}\u202f%`;

const OUTCOMES = {
  accepted: "accepted", unknown: "unknown", multiple: "several at once", left_early: "left early", timeout: "no clear frame",
};
export const outcomeWord = (outcome) => OUTCOMES[outcome] ?? outcome;

const PHASES = { empty: "empty", moving: "something moves", settled: "at rest", many: "one at a time, please" };
export const phaseWord = (phase) => PHASES[phase] ?? phase;

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

export function when(timestamp) {
  const moment = new Date(timestamp);
  return moment.toDateString() === new Date().toDateString() ? clock.format(moment) : day.format(moment);
}

/** The classes with their shares, the likeliest first; objects hold keys that are numbers in an order of their own. */
export const ranked = (scores) => Object.entries(scores).sort((a, b) => b[1] - a[1]);

/** Shows a class between words; whichever way it is written, it leaves the order of the words as it is. */
export const showLabel = (element, before, label, after = "") =>
  element.replaceChildren(before, make("bdi", { textContent: label }), after);

/** Rows of bars, the longest first; rows that stay are changed in place, so that they can glide. With `onPick` buttons. */
export function showBars(list, scores, { limit = 6, onPick = null, picked = null } = {}) {
  const best = ranked(scores).slice(0, limit);
  while (list.children.length > best.length) list.lastChild.remove();
  best.forEach(([label, share], index) => {
    let row = list.children[index];
    if (!row) {
      row = make(onPick ? "button" : "li", {}, make("span", { className: "name" }), make("span", { className: "track" }, make("span", { className: "fill" })), make("span", { className: "share" }));
      list.append(row);
    }
    const [name, track, told] = row.children;
    name.textContent = name.title = label;
    track.firstChild.style.width = `${Math.max(0, Math.min(1, share)) * 100}%`;
    told.textContent = percent(share);
    if (onPick) {
      row.type = "button";
      row.onclick = () => onPick(label);
      row.setAttribute("aria-pressed", String(label === picked));
    }
  });
}

/** The picture of a decision, or an empty tile where none was kept. */
export function thumbnail(id) {
  const image = make("img", { className: "thumb", alt: "", loading: "lazy", decoding: "async" });
  image.onerror = () => { image.onerror = null; image.removeAttribute("src"); };
  image.src = `/api/pictures/${id}.jpg`;
  return image;
}

/** Buttons for labels, with the keys 1 to 9 for the first nine, and one, with x, for null: wrong, whatever it is.
 *  They stay what they are: one that has the focus keeps it. */
export function labelButtons(group, labels, onPick, pressed) {
  const words = [...labels, null];
  while (group.children.length > words.length) group.lastChild.remove();
  words.forEach((label, index) => {
    if (!group.children[index]) group.append(make("button", { type: "button" }, make("span"), make("kbd", { "aria-hidden": "true" })));
    const button = group.children[index];
    const [name, key] = button.children;
    button.className = label === null ? "any" : "";
    name.textContent = name.title = label ?? "simply wrong";
    key.textContent = label === null ? "x" : index < 9 ? String(index + 1) : "";
    button.setAttribute("aria-keyshortcuts", key.textContent);
    button.setAttribute("aria-pressed", String(label === pressed));
    button.onclick = () => onPick(label);
  });
}

/** Presses the label's button that has this key; whether there is one. */
export function pressKey(group, { key, ctrlKey, metaKey, altKey }) {
  const button = [...group.children].find((one) => one.lastChild.textContent === key);
  if (!button || ctrlKey || metaKey || altKey) return false;
  button.click();
  return true;
}
