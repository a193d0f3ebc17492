import { qualityName, styleName } from "../choices.js";
import { downloadUrl, fill, part, showImage } from "../dom.js";
import { credits, size, time } from "../format.js";
import { showState } from "../panels.js";
import { requestRemoval } from "../removal.js";
import { failureText } from "../report-problem.js";
import { redirect, route } from "../router.js";

/** One generation at full size, the original beside the plushie. Its states: made, notMade. */
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
    fill(this, {
      style: styleName(style),
      quality: qualityName(quality),
      size: width ? size(generation) : "–",
      cost: error?.refunded ? "0 (refunded)" : credits(creditsCost),
      made: time(createdAt),
      error: failureText(generation),
    });
    this.#showPictures();
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    if (this.#dialog.open) this.#dialog.close();
  }

  #showPictures() {
    const { originalUrl, generatedUrl, width, height } = this.#generation;
    showImage(part(this, "original"), originalUrl);
    showState(this, generatedUrl ? "made" : "notMade");
    if (!generatedUrl) return;
    showImage(part(this, "generated"), generatedUrl, { width, height });
    part(this, "download").href = downloadUrl(generatedUrl);
  }

  #remove() {
    this.#dialog.close();
    requestRemoval(this, this.#generation);
  }

  get #dialog() {
    return this.querySelector("dialog");
  }
}

customElements.define("detail-dialog", DetailDialog);
