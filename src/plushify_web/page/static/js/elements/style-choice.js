import { choiceCard } from "../choice-card.js";
import { part } from "../dom.js";
import { catalog } from "../state.js";

/** The styles with a drawing of their own: all of the default catalog, which a test makes sure of. */
const DRAWN_STYLES = ["classic", "kawaii", "realistic", "cartoon", "chibi"];

/** The neutral drawing for every style that an operator has added to the catalog. */
const CUSTOM_STYLE_ART = "/static/art/custom-style.svg";

/** The styles of the catalog as radio buttons. */
class StyleChoice extends HTMLElement {
  connectedCallback() {
    catalog.subscribe((loaded) => loaded && this.replaceChildren(...loaded.styles.map(card)));
  }
}

function card({ id, name, description }, index) {
  const label = choiceCard("style-card", { value: id, checked: index === 0 }, { name, description });
  part(label, "art").src = artOf(id);
  return label;
}

const artOf = (id) => (DRAWN_STYLES.includes(id) ? `/static/art/styles/${id}.svg` : CUSTOM_STYLE_ART);

customElements.define("style-choice", StyleChoice);
