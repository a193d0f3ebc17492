import * as api from "./api.js";
import { balance, user } from "./state.js";

/** Become `person`, or nobody for null. */
export async function enter(person) {
  if (person) await refreshBalance();
  else balance.value = null;
  user.value = person;
}

export async function signUp(credentials) {
  const session = await api.createAccount(credentials);
  await enter(session.user);
}

export async function signIn(credentials) {
  const session = await api.createSession(credentials);
  await enter(session.user);
}

export async function signOut() {
  await api.deleteSession();
  await enter(null);
}

/** Fetch the balance anew. It is only shown, never relied on: a failure leaves the last one known. */
export async function refreshBalance() {
  try {
    balance.value = (await api.getCredits()).balance;
  } catch (problem) {
    if (!problem.code) throw problem;
  }
}

/** Open the sign-in dialog, with the reason for it; resolves to whether somebody signed in. */
export const askToSignIn = (why, mode = "signIn") => document.querySelector("auth-dialog").ask(why, mode);
