import { getGeneration, listGenerations } from "../api.js";
import { fill, part } from "../dom.js";
import { tell } from "../outcomes.js";
import { remove } from "../removal.js";
import { redirect, route } from "../router.js";
import { askToSignIn } from "../session.js";
import { user } from "../state.js";
import "./detail-dialog.js";
import "./gallery-card.js";

const PAGE = 12;

/** Everything a person has made, newest first. */
class GalleryView extends HTMLElement {
  #loadedFor = null;
  #cursor = null;
  #total = 0;

  connectedCallback() {
    part(this, "more").addEventListener("click", () => this.#more());
    part(this, "again").addEventListener("click", () => this.#load());
    part(this, "signIn").addEventListener("click", () => askToSignIn(null));
    this.addEventListener("remove", ({ detail }) => this.#remove(detail));
    user.follow(() => this.#enter());
    route.follow(() => this.#enter());
  }

  async #enter() {
    const { view, id } = route.value;
    if (view !== "gallery") return this.#leave();
    if (user.value === undefined) return this.#become("loading");
    if (user.value === null) return this.#signedOut();
    if (this.#loadedFor !== user.value) {
      this.#loadedFor = user.value;
      await this.#load();
    }
    if (id) this.#open(id);
    else this.#details.close();
  }

  #leave() {
    this.#loadedFor = null;
    this.#details.close();
  }

  #signedOut() {
    this.#list.replaceChildren();
    this.#leave();
    this.#become("signedOut");
  }

  async #load() {
    this.#become(this.#cards.length === 0 ? "loading" : "filled");
    try {
      const page = await listGenerations({ limit: PAGE });
      this.#list.replaceChildren();
      this.#append(page);
    } catch (problem) {
      this.#become(this.#cards.length === 0 ? "failed" : "filled");
      tell(problem);
    }
  }

  async #more() {
    part(this, "more").disabled = true;
    try {
      this.#append(await listGenerations({ limit: PAGE, cursor: this.#cursor }));
    } catch (problem) {
      tell(problem);
    } finally {
      part(this, "more").disabled = false;
    }
  }

  async #open(id) {
    try {
      this.#details.show(this.#cardOf(id)?.generation ?? (await getGeneration(id)));
    } catch (problem) {
      redirect("#/gallery");
      tell(problem);
    }
  }

  #remove(generation) {
    remove(generation, {
      onRemoved: () => {
        const gone = this.#cardOf(generation.id);
        (gone?.nextElementSibling ?? this).querySelector("a, h1").focus();
        gone?.remove();
        this.#count(-1);
      },
      onRestored: (restored) => {
        this.#list.insertBefore(card(restored), this.#firstOlderThan(restored));
        this.#count(+1);
      },
    });
  }

  #append({ items, nextCursor, total }) {
    this.#list.append(...items.map(card));
    this.#cursor = nextCursor;
    this.#total = total;
    this.#count(0);
  }

  #count(change) {
    this.#total += change;
    const shown = this.#cards.length;
    part(this, "more").hidden = this.#cursor === null;
    fill(this, { count: shown < this.#total ? `${shown} of ${this.#total}` : null });
    this.#become(shown === 0 && this.#cursor === null ? "empty" : "filled");
  }

  #become(state) {
    this.#list.ariaBusy = String(state === "loading");
    for (const panel of this.querySelectorAll("[data-shown-when]")) panel.hidden = panel.dataset.shownWhen !== state;
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
