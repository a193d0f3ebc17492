import { downloadUrl, fill, part } from "../dom.js";
import { credits, size, time } from "../format.js";
import { withCharge } from "../outcomes.js";
import { Problem } from "../problem.js";
import { redirect, route } from "../router.js";
import { catalog } from "../state.js";

/** One generation at large, original beside generated. Asks for its deletion by a `remove` event. */
class DetailDialog extends HTMLElement {
  #generation;

  connectedCallback() {
    part(this, "close").addEventListener("click", () => this.#dialog.close());
    part(this, "delete").addEventListener("click", () => this.#remove());
    this.#dialog.addEventListener("click", ({ target }) => target === this.#dialog && this.#dialog.close());
    this.#dialog.addEventListener("close", () => route.value.id && redirect("#/gallery"));
  }

  show(generation) {
    this.#generation = generation;
    const { style, quality, creditsCost, width, createdAt, error } = generation;
    const { styles, qualities } = catalog.value;
    fill(this, {
      style: nameOf(styles, style),
      quality: nameOf(qualities, quality),
      size: width ? size(generation) : "–",
      cost: error?.refunded ? "0 (refunded)" : credits(creditsCost),
      made: time(createdAt),
      error: error && withCharge(Problem.fromGeneration(generation)),
    });
    this.#showPictures();
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  #showPictures() {
    const { originalUrl, generatedUrl, width, height } = this.#generation;
    Object.assign(part(this, "original"), { src: originalUrl ?? "", hidden: !originalUrl });
    part(this, "generatedFigure").hidden = !generatedUrl;
    part(this, "download").hidden = !generatedUrl;
    if (!generatedUrl) return;
    Object.assign(part(this, "generated"), { src: generatedUrl, width, height });
    part(this, "download").href = downloadUrl(generatedUrl);
  }

  #remove() {
    this.#dialog.close();
    this.dispatchEvent(new CustomEvent("remove", { bubbles: true, detail: this.#generation }));
  }

  get #dialog() {
    return this.querySelector("dialog");
  }
}

const nameOf = (choices, id) => choices.find((choice) => choice.id === id)?.name ?? id;

customElements.define("detail-dialog", DetailDialog);
