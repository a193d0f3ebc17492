import { Signal } from "./state.js";

const VIEWS = ["create", "gallery"];

/** The current view and generation, read from the address: `#/create`, `#/gallery` or `#/gallery/{id}`. */
export const route = new Signal(parse());

/** Go to an address such as `#/gallery` without a new entry in the browser's history. */
export const redirect = (hash) => location.replace(hash);

addEventListener("hashchange", () => {
  route.value = parse();
});

function parse() {
  const [view, id = null] = location.hash.replace(/^#\//, "").split("/");
  return VIEWS.includes(view) ? { view, id } : { view: "create", id: null };
}
