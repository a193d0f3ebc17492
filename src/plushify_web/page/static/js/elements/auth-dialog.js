import { fill, part } from "../dom.js";
import { credits } from "../format.js";
import { signIn, signUp } from "../session.js";
import { balance, catalog } from "../state.js";
import { toast } from "./toast-stack.js";

const MODES = {
  signIn: {
    heading: "Welcome back",
    submit: "Sign in",
    question: "New here?",
    other: "Make an account",
    passwordAutocomplete: "current-password",
    send: signIn,
  },
  signUp: {
    heading: "Make an account",
    submit: "Sign up",
    question: "Been here before?",
    other: "Sign in",
    passwordAutocomplete: "new-password",
    send: signUp,
  },
};

/** One dialog to sign in and to sign up; the two differ only in `MODES`. */
class AuthDialog extends HTMLElement {
  #mode = "signIn";
  #resolve = () => {};

  connectedCallback() {
    this.#form.addEventListener("submit", (event) => this.#submit(event));
    part(this, "other").addEventListener("click", () => this.#setMode(this.#mode === "signIn" ? "signUp" : "signIn"));
    part(this, "close").addEventListener("click", () => this.#dialog.close());
    this.#dialog.addEventListener("close", () => this.#resolve(this.#dialog.returnValue === "done"));
  }

  /** Open with a reason to show (or null) in a mode; resolves to whether the user signed in. */
  ask(why, mode) {
    if (this.#dialog.open) return Promise.resolve(false);
    this.#setMode(mode);
    fill(this, { why });
    this.#dialog.returnValue = "";
    this.#dialog.showModal();
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  async #submit(event) {
    event.preventDefault();
    this.#setBusy(true);
    try {
      await MODES[this.#mode].send(Object.fromEntries(new FormData(this.#form)));
      this.#form.reset();
      this.#dialog.close("done");
      this.#welcome();
    } catch (problem) {
      if (!problem.code) throw problem;
      fill(this, { error: problem.message });
    } finally {
      this.#setBusy(false);
    }
  }

  #welcome() {
    const text = balance.value === null ? "You are signed in." : `You have ${credits(balance.value)}.`;
    toast({ kind: "success", title: this.#mode === "signUp" ? "Welcome to Plushify" : "Welcome back", text });
  }

  #setMode(mode) {
    this.#mode = mode;
    const { heading, submit, question, other, passwordAutocomplete } = MODES[mode];
    const free = catalog.value?.freeCredits;
    fill(this, { heading, submit, question, other, error: null, gift: mode === "signUp" && free ? `You start with ${credits(free)}, free.` : null });
    this.#form.elements.password.autocomplete = passwordAutocomplete;
  }

  #setBusy(busy) {
    part(this, "submit").disabled = busy;
  }

  get #dialog() {
    return this.querySelector("dialog");
  }

  get #form() {
    return this.querySelector("form");
  }
}

customElements.define("auth-dialog", AuthDialog);
