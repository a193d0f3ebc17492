import { listGenerations } from "../api.js";
import { serverNow } from "../clock.js";
import { fill, part } from "../dom.js";
import { showState, shownPanel } from "../panels.js";
import { isFinished, untilFinished } from "../polling.js";
import { Problem } from "../problem.js";
import { reportProblem, withCharge } from "../report-problem.js";
import { route } from "../router.js";
import { askToSignIn, refreshBalance } from "../session.js";
import { user } from "../state.js";
import { Submission } from "../submission.js";
import "./photo-picker.js";
import "./price-note.js";
import "./quality-choice.js";
import "./result-panel.js";
import "./style-choice.js";
import { toast } from "./toast-stack.js";
import "./waiting-panel.js";

/** The way from a photo to a plushie. Its states: choose, waiting, done. */
class CreateView extends HTMLElement {
  #submission = null;

  connectedCallback() {
    this.#form.addEventListener("change", (event) => this.#startOver(event));
    this.#form.addEventListener("invalid", () => this.#show("choose"), { capture: true });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    part(this, "another").addEventListener("click", () => this.#picker.clear());
    part(this, "sameAgain").addEventListener("click", () => this.#show("choose"));
    user.subscribe((person) => (person ? this.#resume() : this.#show("choose")));
  }

  async #submit() {
    if (!user.value && !(await askToSignIn("Make an account to keep your plushies in.", "signUp"))) return;
    this.#submission ??= new Submission(new FormData(this.#form));
    this.#showWaiting({ since: new Date(serverNow()).toISOString(), photoUrl: this.#picker.previewUrl });
    try {
      await this.#showOutcome(await this.#submission.send());
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** After a reload, wait for the generation that is still running. */
  async #resume() {
    try {
      const { items } = await listGenerations({ limit: 1 });
      if (this.dataset.state !== "choose" || this.#submission || !items[0] || isFinished(items[0])) return;
      this.#showWaiting({ since: items[0].createdAt, photoUrl: items[0].originalUrl });
      await this.#showOutcome(items[0]);
    } catch (problem) {
      this.#fail(problem);
    }
  }

  /** Wait until an accepted generation has finished, and show its plushie. Throws the problem if it failed. */
  async #showOutcome(accepted) {
    if (!isFinished(accepted)) refreshBalance();
    const finished = await untilFinished(accepted);
    await refreshBalance();
    if (finished.status === "failed") throw Problem.fromGeneration(finished);
    this.#submission = null;
    part(this, "result").show(finished);
    part(this, "sameAgain").hidden = !this.#picker.previewUrl;
    this.#show("done");
    toast({ kind: "success", title: "Your plushie is here", text: "You will find it in your gallery, too." });
  }

  /** Keep a submission whose outcome is unknown: sent again with its key, it cannot be charged twice. */
  #fail(problem) {
    if (!user.value) return;
    this.#show("choose");
    if (!problem.outcomeUnknown && problem.code !== "UNAUTHORIZED") this.#submission = null;
    fill(this, { failure: problem.code === "GENERATION_FAILED" ? withCharge(problem) : null });
    reportProblem(problem, this.#form.checkValidity() ? () => this.#submit() : null);
  }

  /** Any change of the form makes the next submission a new one, with a new key. */
  #startOver({ target }) {
    this.#submission = null;
    fill(this, { failure: null });
    if (target.type === "file") this.#show("choose");
  }

  #showWaiting(details) {
    fill(this, { failure: null });
    this.#show("waiting");
    part(this, "waiting").start(details);
  }

  #show(state) {
    const hadFocus = this.contains(document.activeElement);
    showState(this, state);
    if (state !== "waiting") part(this, "waiting").stop();
    part(this, "workbench").disabled = state === "waiting";
    if (hadFocus && route.value.view === "create") shownPanel(this).querySelector('[tabindex="-1"]')?.focus();
  }

  get #form() {
    return this.querySelector("form");
  }

  get #picker() {
    return this.querySelector("photo-picker");
  }
}

customElements.define("create-view", CreateView);
