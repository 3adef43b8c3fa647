// Controls: sort or only watch, and the confidence below which an item is unknown. The bin obeys between two pictures.
import { find, percent, send, trouble } from "./dom.js";

// What the bin says of itself may be older than what was just asked of it.
const PATIENCE_MS = 3000;
// Arrow keys change the slider many times a second.
const PAUSE_MS = 250;

let heldUntil = 0;
let timer = null;

export function begin() {
  find("enabled").onclick = () => {
    const wanted = find("enabled").getAttribute("aria-checked") !== "true";
    draw({ enabled: wanted, unknown_threshold: threshold() });
    ask({ enabled: wanted });
  };
  find("threshold").oninput = () => {
    draw({ enabled: find("enabled").getAttribute("aria-checked") === "true", unknown_threshold: threshold() });
    hold();
    clearTimeout(timer);
    timer = setTimeout(() => ask({ unknown_threshold: threshold() }), PAUSE_MS);
  };
}

/** `controls` as the bin says they are; null where there is nothing to control. */
export function show(controls) {
  find("controls").hidden = !controls;
  if (controls && performance.now() > heldUntil) draw(controls);
}

function draw(controls) {
  find("enabled").setAttribute("aria-checked", String(controls.enabled));
  find("enabled-words").textContent = controls.enabled ? "What is decided is moved." : "Only watching: nothing moves.";
  find("threshold").value = Math.round(controls.unknown_threshold * 100);
  find("threshold").setAttribute("aria-valuetext", percent(controls.unknown_threshold));
  find("threshold-told").textContent = percent(controls.unknown_threshold);
}

async function ask(wish) {
  hold();
  find("controls-error").textContent = "";
  try {
    await send("/api/controls", wish);
    hold();
  } catch (error) {
    heldUntil = 0;
    find("controls-error").textContent = trouble(error);
  }
}

const threshold = () => Number(find("threshold").value) / 100;
const hold = () => { heldUntil = performance.now() + PATIENCE_MS; };
