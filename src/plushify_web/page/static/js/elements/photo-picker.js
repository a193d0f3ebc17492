import { fill, part } from "../dom.js";
import { fileKinds, megabytes, megapixels } from "../format.js";
import { catalog } from "../state.js";

/** A file input one can also drop and paste into, which shows the photo and refuses what the server would. */
class PhotoPicker extends HTMLElement {
  connectedCallback() {
    this.#input.addEventListener("change", () => this.#take());
    part(this, "clear").addEventListener("click", () => this.clear());
    document.addEventListener("paste", (event) => this.#receive(event, event.clipboardData));
    document.addEventListener("drop", (event) => this.#receive(event, event.dataTransfer));
    document.addEventListener("dragover", (event) => event.preventDefault());
    for (const type of ["dragenter", "dragover"]) this.addEventListener(type, () => this.classList.add("over"));
    for (const type of ["dragleave", "drop"]) this.addEventListener(type, () => this.classList.remove("over"));
    catalog.follow((known) => known && this.#explain(known.limits));
  }

  /** The address of the chosen photo, empty without one. */
  get previewUrl() {
    return this.#preview.src;
  }

  clear() {
    this.#input.value = "";
    this.#input.dispatchEvent(new Event("change", { bubbles: true }));
    this.#input.focus();
  }

  #receive(event, { files }) {
    if (files.length === 0) return;
    event.preventDefault();
    if (this.#input.matches(":disabled") || this.closest("[data-view]").hidden) return;
    this.#input.files = files;
    this.#input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  async #take() {
    const [file] = this.#input.files;
    URL.revokeObjectURL(this.#preview.src);
    this.#preview.removeAttribute("src");
    if (file) this.#preview.src = URL.createObjectURL(file);
    this.classList.toggle("filled", Boolean(file));
    fill(this, { error: null, name: file?.name ?? null });
    const wrong = file && (whatIsWrong(file) ?? (await this.#tooManyPixels()));
    if (!wrong || file !== this.#input.files[0]) return;
    this.clear();
    fill(this, { error: wrong });
  }

  /** A picture that this browser cannot show may still be one for the server, which looks closer. */
  async #tooManyPixels() {
    const shown = await this.#preview.decode().then(() => true, () => false);
    const { maxPixels } = catalog.value.limits;
    const pixels = this.#preview.naturalWidth * this.#preview.naturalHeight;
    if (!shown || pixels <= maxPixels) return null;
    return `That photo has ${megapixels(pixels)}; the limit is ${megapixels(maxPixels)}.`;
  }

  #explain({ mediaTypes, maxUploadBytes }) {
    this.#input.accept = mediaTypes.join();
    fill(this, { limits: `${fileKinds(mediaTypes)}, up to ${megabytes(maxUploadBytes)}` });
  }

  get #input() {
    return this.querySelector("input");
  }

  get #preview() {
    return part(this, "preview");
  }
}

/** An unknown type is left to the server. */
function whatIsWrong({ type, size }) {
  const { mediaTypes, maxUploadBytes } = catalog.value.limits;
  if (type && !mediaTypes.includes(type)) return `That file is not a photo we can read. Please use ${fileKinds(mediaTypes)}.`;
  if (size > maxUploadBytes) return `That photo has ${megabytes(size)}; the limit is ${megabytes(maxUploadBytes)}.`;
  return null;
}

customElements.define("photo-picker", PhotoPicker);
