/** `Date` headers have whole seconds and come late: less of a difference than this means nothing. */
const NOTICEABLE_MS = 2000;

let skewMs = 0;

/** Learn the server's time from a `Date` header, so that a wrong clock here shows no wrong waiting time. */
export function setServerTime(date) {
  const differenceMs = Date.parse(date) - Date.now();
  skewMs = Math.abs(differenceMs) > NOTICEABLE_MS ? differenceMs : 0;
}

/** The time by the server's clock, in ms. */
export const serverNow = () => Date.now() + skewMs;

/** Milliseconds since an ISO time of the server, never negative. */
export const elapsedMs = (since) => Math.max(0, serverNow() - Date.parse(since));

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
