import { fill, fromTemplate } from "./dom.js";

/** A card from `<template id="…">` whose radio button has these properties and whose parts have these texts. */
export function choiceCard(templateId, radio, texts) {
  const label = fromTemplate(templateId);
  Object.assign(label.querySelector("input"), radio);
  fill(label, texts);
  return label;
}
