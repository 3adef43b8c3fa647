// The live picture: asks for the next one only when the last was drawn, and only while somebody looks.
import { ask, find, patience, pause, percent, phaseWord, ranked, showLabel, trouble } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
// The bin answers within four seconds, if only that there is no new picture.
const PATIENCE_MS = 8000;
const RETRY_MS = 2000;

export class LiveStream {
  /** `views` are prefixes of ids (image, boxes, caption); `onSight` hears what is in each picture. */
  constructor(prefix, onSight = () => {}) {
    this.prefix = prefix;
    this.onSight = onSight;
    this.turn = 0;
  }

  start() {
    this.turn += 1;
    this.follow(this.turn);
  }

  stop() {
    this.turn += 1;
    this.aborter?.abort();
  }

  async follow(turn) {
    let after = -1;
    while (turn === this.turn) {
      if (document.hidden) {
        await new Promise((resume) => document.addEventListener("visibilitychange", resume, { once: true }));
        continue;
      }
      try {
        this.aborter = new AbortController();
        const answer = await ask(`/api/live.jpg?after=${after}`, { signal: patience(PATIENCE_MS, this.aborter) });
        if (turn !== this.turn) return;
        if (answer.status === 204) { this.say("no new picture", "bad"); continue; }
        const sight = JSON.parse(answer.headers.get("Sorter-Sight"));
        after = sight.sequence;
        await this.draw(await answer.blob(), sight);
      } catch (error) {
        if (turn !== this.turn) return;
        if (error.status === 401) return;
        this.say(trouble(error), "bad");
        await pause(RETRY_MS);
      }
    }
  }

  async draw(blob, sight) {
    const image = find(`${this.prefix}-image`);
    const url = URL.createObjectURL(blob);
    const old = image.src;
    image.src = url;
    await image.decode().catch(() => {});
    if (old.startsWith("blob:")) URL.revokeObjectURL(old);
    if (image.naturalWidth) image.parentElement.style.aspectRatio = `${image.naturalWidth} / ${image.naturalHeight}`;
    const boxes = sight.boxes.map(([x, y, width, height]) => {
      const rect = document.createElementNS(SVG, "rect");
      for (const [name, share] of Object.entries({ x, y, width, height })) rect.setAttribute(name, share * 100);
      if (sight.phase === "settled") rect.classList.add("item");
      return rect;
    });
    find(`${this.prefix}-boxes`).replaceChildren(...boxes);
    this.say(phaseWord(sight.phase), sight.phase);
    this.tag(sight);
    this.onSight(sight);
  }

  tag(sight) {
    const tag = find(`${this.prefix}-tag`);
    if (!tag) return;
    const best = ranked(sight.scores)[0];
    tag.hidden = !(sight.box && best && sight.phase === "settled");
    if (tag.hidden) return;
    showLabel(tag, "", best[0], ` ${percent(best[1])}`);
    tag.style.left = `${Math.min(sight.box[0] * 100, 78)}%`;
    tag.style.top = `${Math.max(sight.box[1] * 100 - 1, 9)}%`;
  }

  say(words, kind) {
    const caption = find(`${this.prefix}-caption`);
    caption.textContent = words;
    caption.className = `pill quiet is-${kind}`;
  }
}
