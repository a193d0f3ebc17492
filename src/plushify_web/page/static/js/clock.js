/** Smaller differences are ignored: a `Date` header has whole seconds and arrives late. */
const NOTICEABLE_MS = 2000;

let skewMs = 0;

/** Set the server's time from a `Date` header, so that waiting times are right even if this computer's clock is wrong. */
export function setServerTime(date) {
  const differenceMs = Date.parse(date) - Date.now();
  skewMs = Math.abs(differenceMs) > NOTICEABLE_MS ? differenceMs : 0;
}

/** The time by the server's clock, in ms since the epoch. */
export const serverNow = () => Date.now() + skewMs;

/** Milliseconds since an ISO time of the server, never negative. */
export const elapsedMs = (since) => Math.max(0, serverNow() - Date.parse(since));

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
