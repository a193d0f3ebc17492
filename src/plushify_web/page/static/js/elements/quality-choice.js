import { fill, fromTemplate } from "../dom.js";
import { credits } from "../format.js";
import { catalog } from "../state.js";

/** The qualities of the catalog as radio buttons; those the model cannot deliver say why. */
class QualityChoice extends HTMLElement {
  connectedCallback() {
    catalog.follow((known) => known && this.#show(known.qualities));
  }

  #show(qualities) {
    const first = qualities.find(({ available }) => available);
    this.replaceChildren(...qualities.map((quality) => card(quality, quality === first)));
  }
}

function card({ id, name, pixels, price, available, reason }, checked) {
  const label = fromTemplate("quality-card");
  Object.assign(label.querySelector("input"), { value: id, checked, disabled: !available });
  fill(label, { name, pixels: `${pixels} px`, price: credits(price), reason: available ? null : reason });
  return label;
}

customElements.define("quality-choice", QualityChoice);
