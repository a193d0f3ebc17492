import { getGeneration, listGenerations } from "../api.js";
import { fill, part } from "../dom.js";
import { showState } from "../panels.js";
import { removeWithUndo } from "../removal.js";
import { reportProblem } from "../report-problem.js";
import { redirect, route } from "../router.js";
import { askToSignIn } from "../session.js";
import { user } from "../state.js";
import "./detail-dialog.js";
import "./gallery-card.js";

const PAGE_SIZE = 12;

/** All generations of the user, newest first. Its states: loading, signedOut, empty, failed, filled. */
class GalleryView extends HTMLElement {
  #loadedFor = null;
  #cursor = null;
  #total = 0;

  connectedCallback() {
    part(this, "more").addEventListener("click", () => this.#loadMore());
    part(this, "again").addEventListener("click", () => this.#load());
    part(this, "signIn").addEventListener("click", () => askToSignIn(null));
    this.addEventListener("remove", ({ detail }) => this.#remove(detail));
    user.subscribe(() => this.#update());
    route.subscribe(() => this.#update());
  }

  /** Bring the view in line with the address and the user. */
  async #update() {
    const { view, id } = route.value;
    if (view !== "gallery") return this.#reset();
    if (user.value === undefined) return this.#show("loading");
    if (user.value === null) return this.#showSignedOut();
    if (this.#loadedFor !== user.value) {
      this.#loadedFor = user.value;
      await this.#load();
    }
    if (id) this.#open(id);
    else this.#details.close();
  }

  /** Close the details, and load the list again at the next visit. */
  #reset() {
    this.#loadedFor = null;
    this.#details.close();
  }

  #showSignedOut() {
    this.#list.replaceChildren();
    this.#reset();
    this.#show("signedOut");
  }

  async #load() {
    this.#show(this.#cards.length === 0 ? "loading" : "filled");
    try {
      const page = await listGenerations({ limit: PAGE_SIZE });
      this.#list.replaceChildren();
      this.#append(page);
    } catch (problem) {
      this.#show(this.#cards.length === 0 ? "failed" : "filled");
      reportProblem(problem);
    }
  }

  async #loadMore() {
    part(this, "more").disabled = true;
    try {
      this.#append(await listGenerations({ limit: PAGE_SIZE, cursor: this.#cursor }));
    } catch (problem) {
      reportProblem(problem);
    } finally {
      part(this, "more").disabled = false;
    }
  }

  async #open(id) {
    try {
      this.#details.show(this.#cardOf(id)?.generation ?? (await getGeneration(id)));
    } catch (problem) {
      redirect("#/gallery");
      reportProblem(problem);
    }
  }

  #remove(generation) {
    removeWithUndo(generation, {
      onRemoved: () => {
        const removed = this.#cardOf(generation.id);
        (removed?.nextElementSibling ?? this).querySelector("a, h1").focus();
        removed?.remove();
        this.#changeTotal(-1);
      },
      onRestored: (restored) => {
        this.#list.insertBefore(card(restored), this.#firstOlderThan(restored));
        this.#changeTotal(+1);
      },
    });
  }

  #append({ items, nextCursor, total }) {
    this.#list.append(...items.map(card));
    this.#cursor = nextCursor;
    this.#total = total;
    this.#showCount();
  }

  #changeTotal(change) {
    this.#total += change;
    this.#showCount();
  }

  #showCount() {
    const shown = this.#cards.length;
    part(this, "more").hidden = this.#cursor === null;
    fill(this, { count: shown < this.#total ? `${shown} of ${this.#total}` : null });
    this.#show(shown === 0 && this.#cursor === null ? "empty" : "filled");
  }

  #show(state) {
    this.#list.ariaBusy = String(state === "loading");
    showState(this, state);
  }

  #cardOf(id) {
    return this.#cards.find(({ generation }) => generation.id === id);
  }

  #firstOlderThan({ createdAt }) {
    return this.#cards.find(({ generation }) => Date.parse(generation.createdAt) < Date.parse(createdAt)) ?? null;
  }

  get #cards() {
    return [...this.#list.children];
  }

  get #list() {
    return part(this, "list");
  }

  get #details() {
    return this.querySelector("detail-dialog");
  }
}

function card(generation) {
  const element = document.createElement("gallery-card");
  element.role = "listitem";
  element.generation = generation;
  return element;
}

customElements.define("gallery-view", GalleryView);
