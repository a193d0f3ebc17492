import { fill } from "../dom.js";
import { credits } from "../format.js";
import { balance } from "../state.js";

/** The balance in the header, shown while the user is signed in. */
class CreditBalance extends HTMLElement {
  connectedCallback() {
    balance.subscribe((count) => this.#show(count));
  }

  #show(count) {
    this.hidden = count === null;
    if (count === null) return;
    const [amount, unit] = credits(count).split(" ");
    fill(this, { amount, unit });
  }
}

customElements.define("credit-balance", CreditBalance);
