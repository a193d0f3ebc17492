import { elapsedMs } from "../clock.js";
import { fill, part } from "../dom.js";
import { seconds, stopwatch } from "../format.js";
import { catalog } from "../state.js";

/** The wait for a plushie: the photo and the time gone by. How far the model is, nobody knows, so it shows no progress. */
class WaitingPanel extends HTMLElement {
  #timer = null;

  start({ since, photoUrl }) {
    this.stop();
    Object.assign(part(this, "photo"), { src: photoUrl, hidden: !photoUrl });
    const limit = seconds(catalog.value.limits.timeoutS);
    fill(this, { promise: `If it takes longer than ${limit}, it stops and your credits come back.` });
    const tick = () => fill(this, { elapsed: stopwatch(elapsedMs(since)) });
    tick();
    this.#timer = setInterval(tick, 250);
  }

  stop() {
    clearInterval(this.#timer);
  }
}

customElements.define("waiting-panel", WaitingPanel);
