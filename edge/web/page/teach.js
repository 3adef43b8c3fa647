// Teach: look at a thing a few times, and name it.
import { ask, askJson, find, make, send, trouble } from "./dom.js";
import { LiveStream } from "./stream.js";

const stream = new LiveStream("teach");
let numLooks = 0;

export function begin() {
  find("look").onclick = look;
  find("drop-looks").onclick = () => startOver("");
  find("teach-form").onsubmit = teach;
}

export function meet(page) {
  find("teach-known").replaceChildren(...page.labels.map((label) => make("option", { value: label })));
}

export function enter() {
  stream.start();
  return startOver("");  // looks of an earlier visit are not on this screen
}
export function leave() { stream.stop(); }

async function look() {
  try {
    const answer = await ask("/api/teach/look", { method: "POST" });
    find("looks").append(make("li", {}, make("img", { src: URL.createObjectURL(await answer.blob()), alt: "One look" })));
    numLooks = Number(answer.headers.get("Sorter-Looks"));
    while (find("looks").children.length > numLooks) find("looks").firstChild.remove();
    say("");
  } catch (error) {
    say(trouble(error));
  }
  follow();
}

async function startOver(words) {
  try {
    await send("/api/teach/drop");
    numLooks = 0;
    find("looks").replaceChildren();
    say(words);
  } catch (error) {
    say(trouble(error));
  }
  follow();
}

async function teach(event) {
  event.preventDefault();
  find("teach-go").disabled = true;
  say("Learning…");
  try {
    const { said } = await askJson("/api/teach", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ label: find("teach-name").value.trim() }) });
    find("teach-name").value = "";
    await startOver(said);
  } catch (error) {
    say(trouble(error));
    follow();
  }
}

function follow() {
  find("teach-go").disabled = numLooks === 0;
  find("drop-looks").hidden = numLooks === 0;
}

const say = (words) => { find("teach-said").textContent = words; };
