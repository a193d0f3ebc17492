import { styleName } from "../choices.js";
import { downloadUrl, fill, part, showImage } from "../dom.js";
import { size } from "../format.js";
import { catalog } from "../state.js";

/** The plushie that has just been made. */
class ResultPanel extends HTMLElement {
  show(generation) {
    const { id, style, generatedUrl, placeholder, width, height } = generation;
    const name = styleName(style);
    showImage(part(this, "placeholder"), placeholder);
    showImage(part(this, "picture"), generatedUrl, { width, height, alt: `Your photo as a plushie in the style ${name}` });
    part(this, "download").href = downloadUrl(generatedUrl);
    part(this, "details").href = `#/gallery/${id}`;
    fill(this, { size: size(generation), style: name, model: catalog.value.model.title });
  }
}

customElements.define("result-panel", ResultPanel);
