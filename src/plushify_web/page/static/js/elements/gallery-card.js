import { elapsedMs } from "../clock.js";
import { day, size, stopwatch, time } from "../format.js";
import { fill, fromTemplate, part } from "../dom.js";
import { isSettled, untilSettled } from "../live.js";
import { tell, withCharge } from "../outcomes.js";
import { Problem } from "../problem.js";
import { refreshBalance } from "../session.js";
import { catalog } from "../state.js";

/** One generation in the gallery; while it runs, it waits for its end. Asks for its deletion by a `remove` event. */
class GalleryCard extends HTMLElement {
  #generation;
  #gone = new AbortController();
  #timer = null;

  disconnectedCallback() {
    this.#gone.abort();
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
    part(this, "delete").addEventListener("click", () => this.dispatchEvent(new CustomEvent("remove", { bubbles: true, detail: generation })));
    if (!isSettled(generation)) this.#wait();
  }

  #describe() {
    const { id, style, width, createdAt, error } = this.#generation;
    const styleName = catalog.value.styles.find((known) => known.id === style)?.name ?? style;
    const name = `${styleName}, ${time(createdAt)}`;
    fill(this, {
      style: styleName,
      facts: width ? `${size(this.#generation)}, ${day(createdAt)}` : day(createdAt),
      failure: error && withCharge(Problem.fromGeneration(this.#generation)),
      note: error ? "Not made" : null,
    });
    part(this, "open").href = `#/gallery/${id}`;
    part(this, "open").setAttribute("aria-label", name);
    part(this, "delete").setAttribute("aria-label", `Delete ${name}`);
    part(this, "delete").hidden = !isSettled(this.#generation);
  }

  #showPicture() {
    const { thumbnailUrl, originalUrl, placeholder } = this.#generation;
    const picture = part(this, "picture");
    Object.assign(part(this, "placeholder"), { src: placeholder ?? "", hidden: !placeholder });
    picture.addEventListener("load", () => this.classList.add("loaded"));
    picture.addEventListener("error", () => fill(this, { note: "Cannot be loaded now" }));
    const url = thumbnailUrl ?? originalUrl;
    if (url) picture.src = url;
    else picture.hidden = true;
  }

  async #wait() {
    const tick = () => fill(this, { note: `Being made, ${stopwatch(elapsedMs(this.#generation.createdAt))}` });
    tick();
    this.#timer = setInterval(tick, 1000);
    try {
      const ended = await untilSettled(this.#generation, this.#gone.signal);
      if (this.#gone.signal.aborted) return;
      this.generation = ended;
      refreshBalance();
    } catch (problem) {
      tell(problem);
    } finally {
      clearInterval(this.#timer);
    }
  }
}

customElements.define("gallery-card", GalleryCard);
