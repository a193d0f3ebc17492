import { elapsedMs } from "../clock.js";
import { fill, part, showImage } from "../dom.js";
import { seconds, stopwatch } from "../format.js";
import { catalog } from "../state.js";

/** The wait for a plushie: the photo and the elapsed time. It shows no progress, because the model reports none. */
class WaitingPanel extends HTMLElement {
  #timer = null;

  start({ since, photoUrl }) {
    this.stop();
    showImage(part(this, "photo"), photoUrl);
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
