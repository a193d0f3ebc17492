import { fill, part, showImage } from "../dom.js";
import { fileKinds, megabytes, megapixels } from "../format.js";
import { showState } from "../panels.js";
import { catalog } from "../state.js";

/**
 * A file input that also accepts dropped and pasted files. It shows the photo, and refuses the files that the
 * server would refuse. Its states: empty, filled.
 */
class PhotoPicker extends HTMLElement {
  connectedCallback() {
    this.#input.addEventListener("change", () => this.#showChosen());
    part(this, "clear").addEventListener("click", () => this.clear());
    document.addEventListener("paste", (event) => this.#receive(event, event.clipboardData));
    document.addEventListener("drop", (event) => this.#receive(event, event.dataTransfer));
    document.addEventListener("dragover", (event) => event.preventDefault());
    for (const type of ["dragenter", "dragover"]) this.addEventListener(type, () => this.classList.add("over"));
    for (const type of ["dragleave", "drop"]) this.addEventListener(type, () => this.classList.remove("over"));
    catalog.subscribe((loaded) => loaded && this.#showLimits(loaded.limits));
  }

  /** The object URL of the chosen photo; empty if none is chosen. */
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
    if (this.#input.matches(":disabled") || this.closest("create-view").hidden) return;
    this.#input.files = files;
    this.#input.dispatchEvent(new Event("change", { bubbles: true }));
  }

  async #showChosen() {
    const [file] = this.#input.files;
    URL.revokeObjectURL(this.#preview.src);
    showImage(this.#preview, file ? URL.createObjectURL(file) : null);
    showState(this, file ? "filled" : "empty");
    fill(this, { error: null, name: file?.name ?? null });
    const error = file && (fileError(file) ?? (await this.#pixelError()));
    if (!error || file !== this.#input.files[0]) return;
    this.clear();
    fill(this, { error });
  }

  /** A photo that this browser cannot decode is left to the server, which may be able to. */
  async #pixelError() {
    const decoded = await this.#preview.decode().then(() => true, () => false);
    const { maxPixels } = catalog.value.limits;
    const pixels = this.#preview.naturalWidth * this.#preview.naturalHeight;
    if (!decoded || pixels <= maxPixels) return null;
    return `That photo has ${megapixels(pixels)}; the limit is ${megapixels(maxPixels)}.`;
  }

  #showLimits({ mediaTypes, maxUploadBytes }) {
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

/** Why the server would refuse a file, or null. A browser that does not know the type leaves it to the server. */
function fileError({ type, size }) {
  const { mediaTypes, maxUploadBytes } = catalog.value.limits;
  if (type && !mediaTypes.includes(type)) return `That file is not a photo we can read. Please use ${fileKinds(mediaTypes)}.`;
  if (size > maxUploadBytes) return `That photo has ${megabytes(size)}; the limit is ${megabytes(maxUploadBytes)}.`;
  return null;
}

customElements.define("photo-picker", PhotoPicker);
