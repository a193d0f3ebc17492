import { submitGeneration } from "./api.js";
import { pause } from "./clock.js";

const RETRY_AFTER_MS = [1000, 2000, 4000];

/** One wish for one plushie. However often it is sent, its key lets the server charge for it once. */
export class Attempt {
  #form;
  #key = newKey();

  constructor(form) {
    this.#form = form;
  }

  /** Send until there is an answer. When the last try ends unknown too, sending again later is still safe. */
  async send() {
    for (const ms of RETRY_AFTER_MS) {
      try {
        return await submitGeneration(this.#form, this.#key);
      } catch (problem) {
        if (!problem.outcomeUnknown) throw problem;
      }
      await pause(ms);
    }
    return submitGeneration(this.#form, this.#key);
  }
}

/** `crypto.randomUUID` exists on https and localhost only, and a home network is often neither. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
