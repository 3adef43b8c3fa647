// Live: the picture, the decisions as they fall, counts, timings and problems.
import * as controls from "./controls.js";
import { askJson, find, labelButtons, make, outcomeWord, percent, send, showBars, showLabel, thumbnail, when } from "./dom.js";
import { LiveStream } from "./stream.js";

const PAUSE_MS = 1000;
const STILL_MS = 4000;
const MAX_SHOWN = 200;

let about = null;
let newest = 0;
let oldest = Infinity;
let timer = null;
let isOn = false;
let last = null;
let movedAt = 0;

const stream = new LiveStream("live", (sight) => {
  showBars(find("live-scores"), sight.scores, { limit: 5 });
  find("live-nothing").hidden = Object.keys(sight.scores).length > 0;
  find("live-nothing").textContent = sight.phase === "empty" ? "Nothing lies there." : "Waiting until it lies still.";
});

export function begin(page) {
  about = page;
  find("older").onclick = showOlder;
  controls.begin();
  find("identity").textContent = [`model ${page.model}`, page.site ? `site ${page.site}` : "no site file", `sorter ${page.version}`].join(" · ");
  find("detail").addEventListener("keydown", (event) => {
    if (/^[1-9]$/.test(event.key)) find("detail-labels").children[Number(event.key) - 1]?.click();
  });
  find("detail").addEventListener("click", (event) => { if (event.target === find("detail")) find("detail").close(); });
}

export function enter() { stream.start(); }
export function leave() { stream.stop(); }

/** The state is followed in every part of the page: problems must be seen everywhere. */
export function watch() {
  if (isOn) return;
  isOn = true;
  tick();
}

export function unwatch() {
  isOn = false;
  clearTimeout(timer);
}

async function tick() {
  if (!document.hidden) {
    try {
      show(await askJson(`/api/now?after=${newest}`));
    } catch (error) {
      if (error.status !== 401) showProblems([error.status ? error.message : "The bin does not answer. Is it switched on?"]);
    }
  }
  if (isOn) timer = setTimeout(tick, PAUSE_MS);
}

function show(now) {
  showProblems(now.problems);
  showState(now);
  controls.show(now.controls);
  showCounts(now.counts);
  showTimings(now);
  const list = find("decisions");
  const isFirst = newest === 0;
  for (const decision of [...now.decisions].reverse()) list.prepend(line(decision, !isFirst));
  if (now.decisions.length) {
    newest = now.decisions[0].seq;
    oldest = Math.min(oldest, now.decisions.at(-1).seq);
    while (list.children.length > MAX_SHOWN) list.lastChild.remove();
  }
  find("no-decisions").hidden = list.children.length > 0;
  find("older").hidden = !(list.children.length && oldest > 1 && list.children.length < MAX_SHOWN);
}

function showState(now) {
  const at = performance.now();
  if (last === null || now.num_frames !== last.count) movedAt = at;
  const isStill = at - movedAt > STILL_MS;
  const state = find("state");
  state.hidden = false;
  const isOff = now.controls?.enabled === false;
  state.className = now.problems.length || isStill ? "pill bad" : isOff ? "pill doubt" : "pill";
  state.textContent = now.problems.length ? "needs a look" : isStill ? "stands still" : isOff ? "only watching" : "at work";
  const rate = last === null ? 0 : (1000 * (now.num_frames - last.count)) / (at - last.at);
  find("rate").textContent = rate > 0 ? `${rate.toFixed(rate < 9.95 ? 1 : 0)} pictures a second` : "";
  last = { count: now.num_frames, at };
}

function showProblems(problems) {
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
  const where = decision.bin ? `→ ${decision.bin}` : outcomeWord(decision.outcome);
  const guess = decision.corrected ?? decision.label ?? "nothing seen";
  const what = make("span", { className: "what" });
  if (decision.corrected && decision.corrected !== decision.label) what.append(make("span", { className: "fixed", textContent: decision.label ?? "?" }));
  what.append(make("span", { textContent: guess }), make("span", { className: "to", textContent: where }));
  const button = make("button", { type: "button" },
    thumbnail(decision.id),
    make("span", {}, what, make("span", { className: "why", textContent: decision.reason })),
    make("span", { className: "when" }, make("span", { textContent: when(decision.ts) }), document.createElement("br"), make("span", { textContent: decision.label ? percent(decision.confidence) : "" })));
  const item = make("li", { className: `is-${decision.outcome}${isNew ? " new" : ""}`, data: { seq: decision.seq } }, button);
  button.onclick = () => showDetail(decision, item);
  return item;
}

async function showOlder() {
  const { decisions } = await askJson(`/api/decisions?before=${oldest}`);
  find("decisions").append(...decisions.map((decision) => line(decision, false)));
  if (decisions.length) oldest = decisions.at(-1).seq;
  find("older").hidden = decisions.length === 0 || oldest <= 1;
}

function showDetail(decision, item) {
  if (decision.label) showLabel(find("detail-title"), "", decision.label, `, ${percent(decision.confidence)}`);
  else find("detail-title").textContent = "Nothing was seen";
  find("detail-outcome").textContent = `${outcomeWord(decision.outcome)}${decision.bin ? ` → ${decision.bin}` : ""}`;
  find("detail-reason").textContent = decision.reason;
  showBars(find("detail-scores"), decision.scores);
  const image = find("detail-image");
  image.hidden = true;
  image.onload = () => { image.hidden = false; };
  image.src = `/api/pictures/${decision.id}.jpg`;
  const took = decision.settled_s === null ? "–" : `${(decision.decided_s - decision.settled_s).toFixed(2)} s after it came to rest`;
  const moved = !decision.commanded ? "nothing" : decision.confirmed === null ? "moved" : decision.confirmed ? "moved, confirmed" : "moved, not confirmed";
  const facts = { when: new Date(decision.ts).toLocaleString(), decided: took, pictures: `${decision.frames.used} used, ${decision.frames.rejected} not`, flap: moved, model: decision.model, site: decision.site ?? "none", id: `${decision.seq} · ${decision.id}` };
  find("detail-facts").replaceChildren(...Object.entries(facts).flatMap(([name, fact]) => [make("dt", { textContent: name }), make("dd", { textContent: fact })]));
  find("detail-correct").hidden = !about.parts.review;
  labelButtons(find("detail-labels"), about.labels, async (label) => {
    await send("/api/review/label", { ids: [decision.id], label });
    const changed = { ...decision, corrected: label };
    const fresh = line(changed, false);
    item.replaceWith(fresh);
    showDetail(changed, fresh);
  }, decision.corrected ?? null);
  if (!find("detail").open) find("detail").showModal();
}
