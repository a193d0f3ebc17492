import { downloadUrl, fill, part } from "../dom.js";
import { size } from "../format.js";
import { catalog } from "../state.js";

/** The plushie that has just arrived. */
class ResultPanel extends HTMLElement {
  show(generation) {
    const { id, style, generatedUrl, placeholder, width, height } = generation;
    const styleName = catalog.value.styles.find((known) => known.id === style)?.name ?? style;
    Object.assign(part(this, "placeholder"), { src: placeholder ?? "", hidden: !placeholder });
    Object.assign(part(this, "picture"), { src: generatedUrl, width, height, alt: `Your photo as a plushie in the style ${styleName}` });
    part(this, "download").href = downloadUrl(generatedUrl);
    part(this, "details").href = `#/gallery/${id}`;
    fill(this, { size: size(generation), style: styleName, model: catalog.value.model.title });
  }
}

customElements.define("result-panel", ResultPanel);
