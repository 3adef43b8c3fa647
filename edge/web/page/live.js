// Live: the picture, the decisions as they fall, counts, timings and problems.
import * as controls from "./controls.js";
import { askJson, find, labelButtons, make, outcomeWord, patience, percent, pressKey, send, showBars, showLabel, thumbnail, trouble, when } from "./dom.js";
import * as review from "./review.js";
import { LiveStream } from "./stream.js";

const PAUSE_MS = 1000;
const STILL_MS = 4000;
const PATIENCE_MS = 8000;
const MAX_SHOWN = 200;

let about = null;
let newest = 0;
let oldest = Infinity;
let timer = null;
let turn = 0;
let isOn = false;
let isAsking = false;
let last = null;
let movedAt = 0;

const stream = new LiveStream("live", (sight) => {
  showBars(find("live-scores"), sight.scores, { limit: 5 });
  find("live-nothing").hidden = Object.keys(sight.scores).length > 0;
  find("live-nothing").textContent = sight.phase === "empty" ? "Nothing lies there." : "Waiting until it lies still.";
});

export function begin() {
  find("older").onclick = showOlder;
  controls.begin();
  find("detail").addEventListener("keydown", (event) => pressKey(find("detail-labels"), event));
  find("detail").addEventListener("click", (event) => { if (event.target === find("detail")) find("detail").close(); });
}

export function meet(page) {
  about = page;
  last = null;
  startOver();
  find("identity").textContent = [`model ${page.model}`, page.site ? `site ${page.site}` : "no site file", `sorter ${page.version}`].join(" · ");
}

/** Asks anew: what is on its way answers what was asked before. */
export function enter() {
  unwatch();
  startOver();
  watch();
  stream.start();
}
export function leave() { stream.stop(); }

/** The next answer brings all decisions anew: they may have been corrected elsewhere, or be another bin's. */
function startOver() {
  newest = 0;
  oldest = Infinity;
}

/** The state is followed in every part of the page: problems must be seen everywhere. */
export function watch() {
  if (isOn) return;
  isOn = true;
  turn += 1;
  tick(turn);
}

export function unwatch() {
  isOn = false;
  turn += 1;
  clearTimeout(timer);
}

/** Asks again and again, until another turn has begun: what is answered then is of no interest any more. */
async function tick(mine) {
  if (!document.hidden) {
    try {
      const now = await askJson(`/api/now?after=${newest}&said=${review.numSaid}`, { signal: patience(PATIENCE_MS) });
      if (mine !== turn) return;
      if (now.began_s !== about.began_s) {
        unwatch();
        document.dispatchEvent(new Event("anew"));
        return;
      }
      show(now);
    } catch (error) {
      if (mine !== turn) return;
      if (error.status !== 401) {
        showProblems([trouble(error)]);
        showState("no answer", "bad");
      }
    }
  }
  timer = setTimeout(() => tick(mine), PAUSE_MS);
}

function show(now) {
  review.hear(now.said);
  showProblems(now.problems);
  showWork(now);
  controls.show(now.controls);
  showCounts(now.counts);
  showTimings(now);
  showDecisions(now.decisions);
  const list = find("decisions");
  find("no-decisions").hidden = list.children.length > 0;
  find("older").hidden = !(list.children.length && oldest > 1 && list.children.length < MAX_SHOWN);
}

/** Those that came are put in front, and those that a person spoke of meanwhile are written anew. */
function showDecisions(decisions) {
  const list = find("decisions");
  for (const decision of decisions.filter(({ seq }) => seq <= newest)) {
    const known = list.querySelector(`[data-seq="${decision.seq}"]`);
    if (known && known.dataset.said !== verdict(decision)) rewrite(known, decision);
  }
  const fresh = decisions.filter(({ seq }) => seq > newest);
  // Numbers have no gaps: where some are missing, more fell than one answer tells, while nobody looked.
  const isAnew = newest === 0 || fresh.at(-1)?.seq > newest + 1;
  if (isAnew) {
    list.replaceChildren();
    oldest = Infinity;
  }
  for (const decision of fresh.reverse()) {
    list.prepend(line(decision, !isAnew));
    newest = decision.seq;
    oldest = Math.min(oldest, decision.seq);
  }
  if (fresh.length && !isAnew) find("news").textContent = list.firstChild.querySelector(".what").textContent;
  while (list.children.length > MAX_SHOWN) list.lastChild.remove();
}

const verdict = ({ corrected, is_wrong: isWrong }) => JSON.stringify([corrected, isWrong]);

function showWork(now) {
  const at = performance.now();
  if (last === null || now.num_frames !== last.count) movedAt = at;
  if (now.problems.length) showState("needs a look", "bad");
  else if (at - movedAt > STILL_MS) showState("stands still", "bad");
  else if (now.controls?.enabled === false) showState("only watching", "doubt");
  else showState("at work");
  const rate = last === null ? 0 : (1000 * (now.num_frames - last.count)) / (at - last.at);
  find("rate").textContent = rate > 0 ? `${rate.toFixed(rate < 9.95 ? 1 : 0)} frames/s` : "";
  last = { count: now.num_frames, at };
}

function showState(words, kind = "") {
  const state = find("state");
  state.hidden = false;
  state.className = `pill ${kind}`;
  if (state.textContent !== words) state.textContent = words;
}

export function showProblems(problems) {
  const box = find("problems");
  const words = problems.join("\n");
  if (box.dataset.words === words) return;
  box.dataset.words = words;
  box.hidden = problems.length === 0;
  box.replaceChildren(...problems.map((problem) => make("p", { textContent: problem })));
}

function showCounts(counts) {
  const box = find("counts");
  const entries = Object.entries(counts);
  const words = JSON.stringify(entries);
  if (box.dataset.words === words) return;
  box.dataset.words = words;
  box.replaceChildren(...entries.map(([name, count]) => make("div", { className: "count" }, make("b", { textContent: count.toLocaleString() }), make("span", { textContent: name, title: name }))));
}

function showTimings(now) {
  if (!find("health").open && find("timings").children.length) return;
  const cell = (ms) => make("td", { textContent: `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` });
  find("timings").replaceChildren(...Object.entries(now.timings_ms).map(([stage, { p50, p95, p99 }]) => make("tr", {}, make("td", { textContent: stage }), cell(p50), cell(p95), cell(p99))));
}

function line(decision, isNew) {
  const button = make("button", { type: "button", data: { seq: decision.seq } });
  write(button, decision);
  return make("li", { className: `is-${decision.outcome}${isNew ? " new" : ""}` }, button);
}

/** Writes a decision into its line, which stays what it is: the key that opened it comes back to it. */
function write(button, decision) {
  const where = decision.bin ? `→ ${decision.bin}` : outcomeWord(decision.outcome);
  const what = make("span", { className: "what" });
  if (decision.is_wrong) what.append(make("s", { textContent: decision.label ?? "?" }));
  const guess = decision.corrected ?? (decision.is_wrong ? null : decision.label);
  if (guess) what.append(make("span", { textContent: guess }));
  what.append(make("span", { className: "to", textContent: where }));
  button.replaceChildren(
    thumbnail(decision.id),
    make("span", {}, what, make("span", { className: "why", textContent: decision.reason })),
    make("span", { className: "when" }, make("span", { textContent: when(decision.ts) }), make("span", { textContent: decision.label ? percent(decision.confidence) : "" })));
  button.dataset.said = verdict(decision);
  button.onclick = () => open(button, decision);
}

/** Writes one anew that a person spoke of, here or elsewhere: in its line, and where it is shown large. */
function rewrite(button, decision) {
  write(button, decision);
  if (find("detail").dataset.id === decision.id) showDetail(button, decision);
}

/** Shows a decision at once, then as the journal has it by now: moved, confirmed, corrected elsewhere. */
async function open(button, decision) {
  find("detail-error").textContent = "";
  showDetail(button, decision);
  find("detail").showModal();
  const { said } = button.dataset;
  const { decisions: [known] } = await askJson(`/api/decisions?before=${decision.seq + 1}&limit=1`).catch(() => ({ decisions: [] }));
  if (known?.id !== decision.id) return;
  if (button.dataset.said !== said) return;  // corrected meanwhile, here: the answer is of before
  rewrite(button, known);
}

/** Pressed twice it would bring the same ones twice; off meanwhile, it would lose the focus. */
async function showOlder() {
  if (isAsking) return;
  isAsking = true;
  const button = find("older");
  try {
    const { decisions } = await askJson(`/api/decisions?before=${oldest}`);
    find("decisions").append(...decisions.map((decision) => line(decision, false)));
    if (decisions.length) oldest = decisions.at(-1).seq;
    button.hidden = decisions.length === 0 || oldest <= 1;
    button.textContent = "Older";
  } catch (error) {
    button.textContent = `Older: ${trouble(error)}`;
  } finally {
    isAsking = false;
  }
}

function showDetail(button, decision) {
  find("detail").dataset.id = decision.id;
  if (decision.label) showLabel(find("detail-title"), "", decision.label, `, ${percent(decision.confidence)}`);
  else find("detail-title").textContent = outcomeWord(decision.outcome);
  find("detail-outcome").textContent = [decision.label && outcomeWord(decision.outcome), decision.bin && `→ ${decision.bin}`].filter(Boolean).join(" ");
  find("detail-reason").textContent = decision.reason;
  showBars(find("detail-scores"), decision.scores);
  const image = find("detail-image");
  image.hidden = true;
  image.onload = () => { image.hidden = false; };
  image.src = `/api/pictures/${decision.id}.jpg`;
  const took = decision.settled_s === null ? "–" : `${(decision.decided_s - decision.settled_s).toFixed(2)} s after it came to rest`;
  const moved = decision.problem ?? (!decision.commanded ? "none was asked for" : decision.confirmed === null ? "asked for" : decision.confirmed ? "confirmed" : "not confirmed");
  const facts = { when: new Date(decision.ts).toLocaleString(), decided: took, frames: `${decision.frames.used} used, ${decision.frames.rejected} left out`, movement: moved, model: decision.model, site: decision.site ?? "none", id: `${decision.seq} · ${decision.id}` };
  find("detail-facts").replaceChildren(...Object.entries(facts).flatMap(([name, fact]) => [make("dt", { textContent: name }), make("dd", { textContent: fact })]));
  find("detail-correct").hidden = !about.parts.review;
  labelButtons(find("detail-labels"), about.labels, (label) => correct(button, decision, label), decision.corrected ?? (decision.is_wrong ? null : undefined));
}

async function correct(button, decision, label) {
  find("detail-error").textContent = "";
  try {
    await send("/api/review/label", { ids: [decision.id], label });
  } catch (error) {
    find("detail-error").textContent = trouble(error);
    return;
  }
  rewrite(button, { ...decision, corrected: label, is_wrong: label === null || label !== decision.label });
}
