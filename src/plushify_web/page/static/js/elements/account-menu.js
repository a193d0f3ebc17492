import { fill, part } from "../dom.js";
import { showState } from "../panels.js";
import { reportProblem } from "../report-problem.js";
import { askToSignIn, signOut } from "../session.js";
import { user } from "../state.js";
import { toast } from "./toast-stack.js";

/** The button to sign in, or a menu with the user's address and the button to sign out. */
class AccountMenu extends HTMLElement {
  connectedCallback() {
    part(this, "signIn").addEventListener("click", () => askToSignIn(null));
    part(this, "signOut").addEventListener("click", () => this.#signOut());
    user.subscribe((person) => this.#show(person));
  }

  async #signOut() {
    part(this, "menu").hidePopover();
    try {
      await signOut();
      toast({ kind: "info", title: "Signed out", text: "See you soon." });
    } catch (problem) {
      reportProblem(problem);
    }
  }

  #show(person) {
    if (person === undefined) return showState(this, "unknown");
    showState(this, person ? "signedIn" : "signedOut");
    if (person) fill(this, { email: person.email });
  }
}

customElements.define("account-menu", AccountMenu);
