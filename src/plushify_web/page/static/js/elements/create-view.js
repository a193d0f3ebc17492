import { listGenerations } from "../api.js";
import { Attempt } from "../attempt.js";
import { serverNow } from "../clock.js";
import { fill, part } from "../dom.js";
import { isSettled, untilSettled } from "../live.js";
import { tell, withCharge } from "../outcomes.js";
import { Problem } from "../problem.js";
import { route } from "../router.js";
import { askToSignIn, refreshBalance } from "../session.js";
import { user } from "../state.js";
import "./photo-picker.js";
import "./price-note.js";
import "./quality-choice.js";
import "./result-panel.js";
import "./style-choice.js";
import { toast } from "./toast-stack.js";
import "./waiting-panel.js";

/** From a photo to a plushie: choose, wait, see. */
class CreateView extends HTMLElement {
  #attempt = null;

  connectedCallback() {
    this.#form.addEventListener("change", (event) => this.#chooseAnew(event));
    this.#form.addEventListener("invalid", () => this.#become("choose"), { capture: true });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    part(this, "another").addEventListener("click", () => this.#picker.clear());
    part(this, "sameAgain").addEventListener("click", () => this.#become("choose"));
    user.follow((person) => (person ? this.#resume() : this.#become("choose")));
  }

  async #submit() {
    if (!user.value && !(await askToSignIn("Make an account to keep your plushies in.", "signUp"))) return;
    this.#attempt ??= new Attempt(new FormData(this.#form));
    this.#wait({ since: new Date(serverNow()).toISOString(), photoUrl: this.#picker.previewUrl });
    try {
      await this.#follow(await this.#attempt.send());
    } catch (problem) {
      this.#stop(problem);
    }
  }

  /** After a reload, go on waiting for what was running. */
  async #resume() {
    try {
      const { items } = await listGenerations({ limit: 1 });
      if (this.dataset.state !== "choose" || this.#attempt || !items[0] || isSettled(items[0])) return;
      this.#wait({ since: items[0].createdAt, photoUrl: items[0].originalUrl });
      await this.#follow(items[0]);
    } catch (problem) {
      this.#stop(problem);
    }
  }

  async #follow(accepted) {
    if (!isSettled(accepted)) refreshBalance();
    const ended = await untilSettled(accepted);
    await refreshBalance();
    if (ended.status === "failed") throw Problem.fromGeneration(ended);
    this.#attempt = null;
    part(this, "result").show(ended);
    part(this, "sameAgain").hidden = !this.#picker.previewUrl;
    this.#become("done");
    toast({ kind: "success", title: "Your plushie is here", text: "You find it in your gallery, too." });
  }

  /** An attempt whose end is unknown is kept: sent again, it cannot be charged twice. */
  #stop(problem) {
    if (!user.value) return;
    this.#become("choose");
    if (!problem.outcomeUnknown && problem.code !== "UNAUTHORIZED") this.#attempt = null;
    fill(this, { failure: problem.code === "GENERATION_FAILED" ? withCharge(problem) : null });
    tell(problem, this.#form.checkValidity() ? () => this.#submit() : null);
  }

  #wait(what) {
    fill(this, { failure: null });
    this.#become("waiting");
    part(this, "waiting").start(what);
  }

  #chooseAnew({ target }) {
    this.#attempt = null;
    fill(this, { failure: null });
    if (target.type === "file") this.#become("choose");
  }

  #become(state) {
    const hadFocus = this.contains(document.activeElement);
    this.dataset.state = state;
    if (state !== "waiting") part(this, "waiting").stop();
    part(this, "workbench").disabled = state === "waiting";
    for (const panel of this.querySelectorAll("[data-shown-when]")) panel.hidden = panel.dataset.shownWhen !== state;
    if (hadFocus && route.value.view === "create") this.querySelector(`[data-shown-when="${state}"] [tabindex="-1"]`)?.focus();
  }

  get #form() {
    return this.querySelector("form");
  }

  get #picker() {
    return this.querySelector("photo-picker");
  }
}

customElements.define("create-view", CreateView);
