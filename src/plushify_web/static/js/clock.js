let skewMs = 0;

/** Learn the server's time from a `Date` header, so that a wrong clock here shows no wrong waiting time. */
export function setServerTime(date) {
  const serverMs = Date.parse(date);
  if (!Number.isNaN(serverMs)) skewMs = serverMs - Date.now();
}

/** Milliseconds since an ISO time of the server, never negative. */
export const elapsedMs = (since) => Math.max(0, Date.now() + skewMs - Date.parse(since));

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
