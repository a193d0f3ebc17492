import { getGeneration } from "./api.js";
import { pause } from "./clock.js";

const POLL_MS = 1000;

export const isFinished = ({ status }) => status === "succeeded" || status === "failed";

/** Poll until a generation has finished, or `signal` aborts, and return its latest state. Lost connections are retried. */
export async function untilFinished(generation, signal = null) {
  let latest = generation;
  while (!isFinished(latest) && !signal?.aborted) {
    await pause(POLL_MS);
    latest = await getGeneration(latest.id).catch((problem) => keepPolling(problem, latest));
  }
  return latest;
}

/** Return what is known so far if polling can go on after this problem; throw the problem if it cannot. */
async function keepPolling(problem, latest) {
  if (problem.retryAfterS !== null) await pause(problem.retryAfterS * 1000);
  else if (!problem.outcomeUnknown) throw problem;
  return latest;
}
