import { catalog } from "./state.js";

/** The quality with this id; undefined if the catalog does not offer it. */
export const findQuality = (id) => find("qualities", id);

/** Names for people. The catalog may no longer offer what an older generation used; its id is then all that is known. */
export const styleName = (id) => find("styles", id)?.name ?? id;
export const qualityName = (id) => find("qualities", id)?.name ?? id;

const find = (kind, id) => catalog.value[kind].find((choice) => choice.id === id);
