import { fill, fromTemplate, part } from "../dom.js";

const MAX_TOASTS = 3;
const DURATION_S = { success: 6, info: 8, error: 12 };

/**
 * Show a notification for `durationS` seconds. A success or an error replaces the last one of these, and an info,
 * such as the offer to undo, stays. `action` is `{label, run}` for a button or `{label, url}` for a link.
 */
export const toast = (options) => document.querySelector("toast-stack").show(options);

class ToastStack extends HTMLElement {
  show({ kind, title, text, action = null, durationS = DURATION_S[kind] }) {
    const item = fromTemplate("toast");
    item.dataset.kind = kind;
    fill(item, { title, text });
    if (action) this.#addAction(item, action);
    part(item, "dismiss").addEventListener("click", () => item.remove());
    this.#raise();
    if (kind !== "info") for (const old of this.querySelectorAll(':not([data-kind="info"]).toast')) old.remove();
    this.append(item);
    if (this.children.length > MAX_TOASTS) this.firstElementChild.remove();
    this.#removeAfter(item, durationS * 1000);
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

  /** A dialog opened after this layer covers it; closing and opening the layer puts it on top again. */
  #raise() {
    if (document.querySelector("dialog:modal") && this.matches(":popover-open")) this.hidePopover();
    if (!this.matches(":popover-open")) this.showPopover();
  }

  /** The time starts again after the pointer or the focus has left the notification. */
  #removeAfter(item, ms) {
    let timer = setTimeout(() => item.remove(), ms);
    const pauseTimer = () => clearTimeout(timer);
    const restartTimer = () => {
      pauseTimer();
      timer = setTimeout(() => item.remove(), ms);
    };
    for (const type of ["pointerenter", "focusin"]) item.addEventListener(type, pauseTimer);
    for (const type of ["pointerleave", "focusout"]) item.addEventListener(type, restartTimer);
  }
}

customElements.define("toast-stack", ToastStack);
