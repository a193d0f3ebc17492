/** A value that tells its followers when it changes. */
export class Signal {
  #value;
  #followers = new Set();

  constructor(value) {
    this.#value = value;
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    for (const follower of this.#followers) follower(value);
  }

  /** Call `follower` with the value now and after every change. */
  follow(follower) {
    this.#followers.add(follower);
    follower(this.#value);
  }
}

/** Who is signed in: `{id, email}`, null for nobody, undefined until the server has told. */
export const user = new Signal(undefined);

/** The credits left, null while unknown. */
export const balance = new Signal(null);

/** Styles, qualities with prices, limits and the model, null until fetched. */
export const catalog = new Signal(null);
