import { submitGeneration } from "./api.js";
import { pause } from "./clock.js";

const BACKOFF_MS = [1000, 2000, 4000];

/** One submission of the form with its idempotency key. It can be sent again and again; the server charges once. */
export class Submission {
  #form;
  #key = newKey();

  constructor(form) {
    this.#form = form;
  }

  /** Send, and retry while the outcome is unknown. The last problem is thrown; sending again later is still safe. */
  async send() {
    for (const ms of BACKOFF_MS) {
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

/** `crypto.randomUUID` exists only on https and localhost; a server on a home network often uses neither. */
function newKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
