import { choiceCard } from "../choice-card.js";
import { part } from "../dom.js";
import { catalog } from "../state.js";

/** The styles that have a drawing; the catalog may contain others. */
const DRAWN_STYLES = ["classic", "kawaii", "realistic", "cartoon", "chibi"];

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

const artOf = (id) => (DRAWN_STYLES.includes(id) ? `/static/art/styles/${id}.svg` : "/static/art/styles/classic.svg");

customElements.define("style-choice", StyleChoice);
