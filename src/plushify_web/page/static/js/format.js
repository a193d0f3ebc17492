const numbers = new Intl.NumberFormat("en");
const days = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const times = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

export const credits = (count) => `${numbers.format(count)} ${count === 1 ? "credit" : "credits"}`;
export const seconds = (count) => `${numbers.format(count)} ${count === 1 ? "second" : "seconds"}`;
/** A time to wait, rounded up: seconds, from two minutes on minutes, from two hours on hours. */
export function wait(count) {
  if (count < 120) return seconds(count);
  return count < 7200 ? `${Math.ceil(count / 60)} minutes` : `${Math.ceil(count / 3600)} hours`;
}
export const megabytes = (bytes) => `${numbers.format(Math.round((bytes / 2 ** 20) * 10) / 10)} MB`;
export const megapixels = (pixels) => `${numbers.format(Math.round(pixels / 1e6))} megapixels`;
export const size = ({ width, height }) => `${width} × ${height} px`;
export const day = (iso) => days.format(new Date(iso));
export const time = (iso) => times.format(new Date(iso));

/** Minutes and whole seconds, like a stopwatch: 0:07. */
export function stopwatch(ms) {
  const whole = Math.floor(ms / 1000);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** Media types as a list for people: "JPEG, PNG, or WebP". */
export function fileKinds(mediaTypes) {
  const names = mediaTypes.map((type) => type.replace("image/", "").toUpperCase().replace("WEBP", "WebP"));
  return new Intl.ListFormat("en", { type: "disjunction" }).format(names);
}
