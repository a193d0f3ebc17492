/** A new copy of the single element in `<template id="…">`. */
export const fromTemplate = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

/** The element inside `root` marked `data-part="name"`. */
export const part = (root, name) => root.querySelector(`[data-part="${name}"]`);

/** Set the text of parts by their names; null hides a part, any text shows it. */
export function fill(root, texts) {
  for (const [name, text] of Object.entries(texts)) {
    const element = part(root, name);
    element.textContent = text ?? "";
    element.hidden = text === null;
  }
}

/** Show the picture at `url` in an `<img>`, with these properties; without a URL, hide the image. */
export function showImage(image, url, properties = {}) {
  if (url) Object.assign(image, { src: url, ...properties });
  else image.removeAttribute("src");
  image.hidden = !url;
}

/** The address of the same picture as a file to save. */
export function downloadUrl(url) {
  const address = new URL(url, location.origin);
  address.searchParams.set("download", "1");
  return address.href;
}
