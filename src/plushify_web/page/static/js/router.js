import { Signal } from "./state.js";

const VIEWS = ["create", "gallery"];

/** Where we are, from the address: `#/create`, `#/gallery` or `#/gallery/{id}`. */
export const route = new Signal(parse());

/** Go to an address such as `#/gallery` in place of the one we are at. */
export const redirect = (hash) => location.replace(hash);

addEventListener("hashchange", () => {
  route.value = parse();
});

function parse() {
  const [view, id = null] = location.hash.replace(/^#\//, "").split("/");
  return VIEWS.includes(view) ? { view, id } : { view: "create", id: null };
}
