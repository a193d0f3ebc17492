import { getGeneration } from "./api.js";
import { pause } from "./clock.js";

const POLL_MS = 1000;

export const isSettled = ({ status }) => status === "succeeded" || status === "failed";

/** Wait until a generation has ended, or `signal` aborts, and return it. A lost connection only makes the wait longer. */
export async function untilSettled(generation, signal = null) {
  let latest = generation;
  while (!isSettled(latest) && !signal?.aborted) {
    await pause(POLL_MS);
    latest = await getGeneration(latest.id).catch((problem) => lookAgain(problem, latest));
  }
  return latest;
}

async function lookAgain(problem, latest) {
  if (problem.retryAfterS !== null) await pause(problem.retryAfterS * 1000);
  else if (!problem.outcomeUnknown) throw problem;
  return latest;
}
