import { choiceCard } from "../choice-card.js";
import { credits } from "../format.js";
import { catalog } from "../state.js";

/** The qualities of the catalog as radio buttons. A quality that the model cannot deliver is disabled and says why. */
class QualityChoice extends HTMLElement {
  connectedCallback() {
    catalog.subscribe((loaded) => loaded && this.#show(loaded.qualities));
  }

  #show(qualities) {
    const first = qualities.find(({ available }) => available);
    this.replaceChildren(...qualities.map((quality) => card(quality, quality === first)));
  }
}

function card({ id, name, pixels, price, available, reason }, checked) {
  const texts = { name, pixels: `${pixels} px`, price: credits(price), reason: available ? null : reason };
  return choiceCard("quality-card", { value: id, checked, disabled: !available }, texts);
}

customElements.define("quality-choice", QualityChoice);
