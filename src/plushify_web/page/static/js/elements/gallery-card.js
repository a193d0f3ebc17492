import { styleName } from "../choices.js";
import { elapsedMs } from "../clock.js";
import { fill, fromTemplate, part, showImage } from "../dom.js";
import { day, size, stopwatch, time } from "../format.js";
import { isFinished, untilFinished } from "../polling.js";
import { requestRemoval } from "../removal.js";
import { failureText, reportProblem } from "../report-problem.js";
import { refreshBalance } from "../session.js";

/** One generation in the gallery. While the generation runs, the card polls until it has finished. */
class GalleryCard extends HTMLElement {
  #generation;
  #removed = new AbortController();
  #timer = null;

  disconnectedCallback() {
    this.#removed.abort();
    clearInterval(this.#timer);
  }

  get generation() {
    return this.#generation;
  }

  set generation(generation) {
    this.#generation = generation;
    this.dataset.status = generation.status;
    this.replaceChildren(fromTemplate("gallery-card"));
    this.#describe();
    this.#showPicture();
    part(this, "delete").addEventListener("click", () => requestRemoval(this, generation));
    if (!isFinished(generation)) this.#wait();
  }

  #describe() {
    const { id, style, width, createdAt, error } = this.#generation;
    const name = `${styleName(style)}, ${time(createdAt)}`;
    fill(this, {
      style: styleName(style),
      facts: width ? `${size(this.#generation)}, ${day(createdAt)}` : day(createdAt),
      failure: failureText(this.#generation),
      note: error ? "Not made" : null,
    });
    part(this, "open").href = `#/gallery/${id}`;
    part(this, "open").setAttribute("aria-label", name);
    part(this, "delete").setAttribute("aria-label", `Delete ${name}`);
    part(this, "delete").hidden = !isFinished(this.#generation);
  }

  #showPicture() {
    const { thumbnailUrl, originalUrl, placeholder } = this.#generation;
    const picture = part(this, "picture");
    picture.addEventListener("load", () => this.classList.add("loaded"));
    picture.addEventListener("error", () => fill(this, { note: "Cannot be loaded now" }));
    showImage(part(this, "placeholder"), placeholder);
    showImage(picture, thumbnailUrl ?? originalUrl);
  }

  async #wait() {
    const tick = () => fill(this, { note: `Being made, ${stopwatch(elapsedMs(this.#generation.createdAt))}` });
    tick();
    this.#timer = setInterval(tick, 1000);
    try {
      const finished = await untilFinished(this.#generation, this.#removed.signal);
      if (this.#removed.signal.aborted) return;
      this.generation = finished;
      refreshBalance();
    } catch (problem) {
      reportProblem(problem);
    } finally {
      clearInterval(this.#timer);
    }
  }
}

customElements.define("gallery-card", GalleryCard);
