import { credits, wait } from "./format.js";
import { CONNECTION_LOST, Problem, UNEXPECTED_ANSWER } from "./problem.js";
import { askToSignIn } from "./session.js";
import { balance, catalog, user } from "./state.js";
import { toast } from "./elements/toast-stack.js";

/** How the page reacts to each error code. `retry` repeats what failed; it is null where that makes no sense. */
const REACTIONS = {
  UNAUTHORIZED(problem, retry) {
    user.value = null;
    balance.value = null;
    askToSignIn(problem.message).then((signedIn) => signedIn && retry?.());
  },

  INSUFFICIENT_CREDITS(problem) {
    const url = catalog.value?.buyCreditsUrl;
    const title = balance.value === null ? "Not enough credits" : `You have ${credits(balance.value)}`;
    errorToast(title, problem.message, url && { label: "Get more credits", url });
  },

  INVALID_INPUT: (problem) => errorToast("That did not work", problem.message),

  GENERATION_FAILED: (problem, retry) => errorToast("No plushie this time", withCharge(problem), retryAction(problem, retry)),

  NOT_FOUND: (problem) => errorToast("Not here any more", problem.message),

  RATE_LIMITED(problem) {
    const when = problem.retryAfterS === null ? "" : ` Please try again in ${wait(problem.retryAfterS)}.`;
    errorToast("One moment, please", problem.message + when);
  },

  [CONNECTION_LOST]: (problem, retry) => errorToast("No connection", `${problem.message} Are you online?`, retryAction(problem, retry)),

  [UNEXPECTED_ANSWER]: (problem, retry) => errorToast("Something is wrong", problem.message, retryAction(problem, retry)),
};

/** Show a problem to the user and react to its code. An error without a known code is a bug, so it is thrown on. */
export function reportProblem(problem, retry = null) {
  if (!(problem.code in REACTIONS)) throw problem;
  REACTIONS[problem.code](problem, retry);
}

/** The message of a problem; it says that nothing was charged only if the server has said so. */
export const withCharge = ({ message, charged }) => (charged === false ? `${message} You were not charged.` : message);

/** Why a generation failed, in words for the user; null if it did not fail. */
export const failureText = (generation) => generation.error && withCharge(Problem.fromGeneration(generation));

const retryAction = ({ retryable }, retry) => (retryable && retry ? { label: "Try again", run: retry } : null);

const errorToast = (title, text, action = null) => toast({ kind: "error", title, text, action });
