import { fill, fromTemplate, part } from "../dom.js";

const AT_MOST = 3;
const LONG_ENOUGH_TO_READ_S = { success: 6, info: 8, error: 12 };

/** Show a notification; a success or error takes the place of the last one. `action` is `{label, run}` or `{label, url}`; `forS` says how long it is of use. */
export const toast = (options) => document.querySelector("toast-stack").show(options);

class ToastStack extends HTMLElement {
  show({ kind, title, text, action = null, forS = LONG_ENOUGH_TO_READ_S[kind] }) {
    const item = fromTemplate("toast");
    item.dataset.kind = kind;
    fill(item, { title, text });
    if (action) this.#addAction(item, action);
    part(item, "dismiss").addEventListener("click", () => item.remove());
    this.#raise();
    if (kind !== "info") for (const old of this.querySelectorAll(':not([data-kind="info"]).toast')) old.remove();
    this.append(item);
    if (this.children.length > AT_MOST) this.firstElementChild.remove();
    this.#removeAfter(item, forS * 1000);
  }

  #addAction(item, { label, run, url }) {
    const control = part(item, url ? "link" : "action");
    control.hidden = false;
    control.textContent = label;
    if (url) control.href = url;
    control.addEventListener("click", () => {
      item.remove();
      run?.();
    });
  }

  /** Dialogs opened since then cover this layer; only re-opening it puts it on top again. */
  #raise() {
    if (document.querySelector("dialog:modal") && this.matches(":popover-open")) this.hidePopover();
    if (!this.matches(":popover-open")) this.showPopover();
  }

  /** Time stands still while somebody points at it or is inside it. */
  #removeAfter(item, ms) {
    let timer = setTimeout(() => item.remove(), ms);
    const hold = () => clearTimeout(timer);
    const release = () => {
      hold();
      timer = setTimeout(() => item.remove(), ms);
    };
    for (const type of ["pointerenter", "focusin"]) item.addEventListener(type, hold);
    for (const type of ["pointerleave", "focusout"]) item.addEventListener(type, release);
  }
}

customElements.define("toast-stack", ToastStack);
