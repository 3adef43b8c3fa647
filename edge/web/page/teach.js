// Teach: look at a thing a few times, and name it.
import { ask, askJson, find, make, patience, trouble } from "./dom.js";
import { LiveStream } from "./stream.js";

const MAX_LOOKS = 20;
// The network sees each look on a slow board, between those of the loop.
const PATIENCE_MS = 120000;

const stream = new LiveStream("teach");
let looks = [];

export function begin() {
  find("look").onclick = look;
  find("drop-looks").onclick = () => { startOver(""); find("look").focus(); };
  find("teach-form").onsubmit = teach;
}

export function meet(page) {
  find("teach-known").replaceChildren(...page.labels.map((label) => make("option", { value: label })));
  // The bin keeps no look from before it began anew.
  if (looks.length) startOver("The bin began anew: look again.");
}

export function enter() { stream.start(); }
export function leave() { stream.stop(); }

async function look() {
  try {
    const answer = await ask("/api/teach/look", { method: "POST" });
    const picture = URL.createObjectURL(await answer.blob());
    looks = [...looks, answer.headers.get("Sorter-Look")].slice(-MAX_LOOKS);
    find("looks").append(make("li", {}, make("img", { src: picture, alt: "One look" })));
    while (find("looks").children.length > looks.length) find("looks").firstChild.remove();
    say("");
  } catch (error) {
    say(trouble(error));
  }
  follow();
}

function startOver(words) {
  looks = [];
  find("looks").replaceChildren();
  say(words);
  follow();
}

async function teach(event) {
  event.preventDefault();
  find("teach-go").disabled = true;
  say("Learning…");
  try {
    const body = JSON.stringify({ label: find("teach-name").value.trim(), looks });
    const { said } = await askJson("/api/teach", { method: "POST", headers: { "Content-Type": "application/json" }, body, signal: patience(PATIENCE_MS) });
    find("teach-name").value = "";
    startOver(said);
  } catch (error) {
    say(trouble(error));
    follow();
  }
  // The button that was pressed was off meanwhile, and loses the focus, though not before the screen is drawn again.
  if ([document.body, find("teach-go")].includes(document.activeElement)) find(looks.length ? "teach-go" : "look").focus();
}

function follow() {
  find("teach-go").disabled = looks.length === 0;
  find("drop-looks").hidden = looks.length === 0;
}

const say = (words) => { find("teach-said").textContent = words; };
