import { CONNECTION_LOST, UNEXPECTED_ANSWER } from "./problem.js";
import { credits, seconds } from "./format.js";
import { askToSignIn } from "./session.js";
import { balance, catalog, user } from "./state.js";
import { toast } from "./elements/toast-stack.js";

/** What the page does about each error code. `again` repeats what failed, where that makes sense. */
const OUTCOMES = {
  UNAUTHORIZED(problem, again) {
    user.value = null;
    balance.value = null;
    askToSignIn(problem.message).then((signedIn) => signedIn && again?.());
  },

  INSUFFICIENT_CREDITS(problem) {
    const url = catalog.value?.buyCreditsUrl;
    const title = balance.value === null ? "Not enough credits" : `You have ${credits(balance.value)}`;
    error(title, problem.message, url && { label: "Get more credits", url });
  },

  INVALID_INPUT: (problem) => error("That did not work", problem.message),

  GENERATION_FAILED: (problem, again) => error("No plushie this time", withCharge(problem), retry(problem, again)),

  NOT_FOUND: (problem) => error("Not here any more", problem.message),

  RATE_LIMITED(problem) {
    const when = problem.retryAfterS === null ? "" : ` Please try again in ${seconds(problem.retryAfterS)}.`;
    error("One moment, please", problem.message + when);
  },

  [CONNECTION_LOST]: (problem, again) => error("No connection", `${problem.message} Are you online?`, retry(problem, again)),

  [UNEXPECTED_ANSWER]: (problem, again) => error("Something is wrong", problem.message, retry(problem, again)),
};

/** Tell the user about a problem, and do what its code asks for. */
export function tell(problem, again = null) {
  if (!(problem.code in OUTCOMES)) throw problem;
  OUTCOMES[problem.code](problem, again);
}

/** The message, and that nothing was charged where the server has said so. */
export const withCharge = ({ message, charged }) => (charged === false ? `${message} You were not charged.` : message);

const retry = ({ retryable }, again) => (retryable && again ? { label: "Try again", run: again } : null);

const error = (title, text, action = null) => toast({ kind: "error", title, text, action });
