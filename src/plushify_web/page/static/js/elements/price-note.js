import { findQuality } from "../choices.js";
import { fill, part } from "../dom.js";
import { credits } from "../format.js";
import { balance, catalog } from "../state.js";

/** The price of the chosen quality, and the credits left after it. */
class PriceNote extends HTMLElement {
  connectedCallback() {
    this.closest("form").addEventListener("change", () => this.#show());
    catalog.subscribe(() => this.#show());
    balance.subscribe(() => this.#show());
  }

  #show() {
    const chosen = catalog.value && findQuality(this.closest("form").elements.quality?.value);
    if (!chosen) return;
    const missing = balance.value !== null && balance.value < chosen.price;
    const { buyCreditsUrl } = catalog.value;
    fill(this, { price: credits(chosen.price), left: balanceSentence(chosen.price, balance.value) });
    this.classList.toggle("missing", missing);
    Object.assign(part(this, "buy"), { hidden: !missing || !buyCreditsUrl, href: buyCreditsUrl ?? "" });
  }
}

function balanceSentence(price, left) {
  if (left === null) return `New accounts start with ${credits(catalog.value.freeCredits)}, free.`;
  if (left < price) return `You have ${credits(left)}.`;
  return `${credits(left - price)} will be left.`;
}

customElements.define("price-note", PriceNote);
