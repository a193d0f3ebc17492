import { fill, part } from "../dom.js";
import { credits } from "../format.js";
import { balance, catalog } from "../state.js";

/** What the chosen quality costs, and what will be left. */
class PriceNote extends HTMLElement {
  connectedCallback() {
    this.closest("form").addEventListener("change", () => this.#show());
    catalog.follow(() => this.#show());
    balance.follow(() => this.#show());
  }

  #show() {
    const id = this.closest("form").elements.quality?.value;
    const chosen = catalog.value?.qualities.find((quality) => quality.id === id);
    if (!chosen) return;
    const missing = balance.value !== null && balance.value < chosen.price;
    const { buyCreditsUrl } = catalog.value;
    fill(this, { price: credits(chosen.price), left: sentence(chosen.price, balance.value) });
    this.classList.toggle("missing", missing);
    Object.assign(part(this, "buy"), { hidden: !missing || !buyCreditsUrl, href: buyCreditsUrl ?? "" });
  }
}

function sentence(price, left) {
  if (left === null) return `New accounts start with ${credits(catalog.value.freeCredits)}, free.`;
  if (left < price) return `You have ${credits(left)}.`;
  return `${credits(left - price)} will be left.`;
}

customElements.define("price-note", PriceNote);
