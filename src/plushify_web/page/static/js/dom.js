/** A fresh copy of the one element in `<template id="…">`. */
export const fromTemplate = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** The part of `root` marked `data-part="name"`. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Set the text of parts by name; null hides the part. */
export function fill(root, texts) {
  for (const [name, text] of Object.entries(texts)) {
    const element = part(root, name);
    element.textContent = text ?? "";
    element.hidden = text === null;
  }
}

/** The same address, answered as a file to save. */
export function downloadUrl(url) {
  const address = new URL(url, location.origin);
  address.searchParams.set("download", "1");
  return address.href;
}
