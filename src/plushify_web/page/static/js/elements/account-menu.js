import { fill, part } from "../dom.js";
import { tell } from "../outcomes.js";
import { askToSignIn, signOut } from "../session.js";
import { user } from "../state.js";
import { toast } from "./toast-stack.js";

/** Sign in, or who is signed in and the way out. */
class AccountMenu extends HTMLElement {
  connectedCallback() {
    part(this, "signIn").addEventListener("click", () => askToSignIn(null));
    part(this, "signOut").addEventListener("click", () => this.#leave());
    user.follow((person) => this.#show(person));
  }

  async #leave() {
    part(this, "menu").hidePopover();
    try {
      await signOut();
      toast({ kind: "info", title: "Signed out", text: "See you soon." });
    } catch (problem) {
      tell(problem);
    }
  }

  #show(person) {
    part(this, "signIn").hidden = person !== null;
    part(this, "open").hidden = !person;
    if (person) fill(this, { email: person.email });
  }
}

customElements.define("account-menu", AccountMenu);
