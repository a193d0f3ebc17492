/** A value that calls its subscribers when it changes. */
export class Signal {
  #value;
  #subscribers = new Set();

  constructor(value) {
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    for (const subscriber of this.#subscribers) subscriber(value);
  }

  /** Call `subscriber` with the value now and after every change. */
  subscribe(subscriber) {
    this.#subscribers.add(subscriber);
    subscriber(this.#value);
  }
}

/** The user who is signed in, `{id, email}`: null for nobody, undefined until the server has answered. */
export const user = new Signal(undefined);

/** The credits left, null while unknown. */
export const balance = new Signal(null);

/** Styles, qualities with prices, limits and the model, null until fetched. */
export const catalog = new Signal(null);
