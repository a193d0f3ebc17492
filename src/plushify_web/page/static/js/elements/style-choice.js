import { fill, fromTemplate, part } from "../dom.js";
import { catalog } from "../state.js";

/** Styles there is a drawing for; the catalog may name others. */
const DRAWN = ["classic", "kawaii", "realistic", "cartoon", "chibi"];

/** The styles of the catalog as radio buttons. */
class StyleChoice extends HTMLElement {
  connectedCallback() {
    catalog.follow((known) => known && this.replaceChildren(...known.styles.map(card)));
  }
}

function card({ id, name, description }, index) {
  const label = fromTemplate("style-card");
  const input = label.querySelector("input");
  input.value = id;
  input.checked = index === 0;
  part(label, "art").src = `/static/art/styles/${DRAWN.includes(id) ? id : "classic"}.svg`;
  fill(label, { name, description });
  return label;
}

customElements.define("style-choice", StyleChoice);
