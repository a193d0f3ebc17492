import * as api from "./api.js";
import { balance, user } from "./state.js";

/** Make the page show this user, and their balance; null signs out. */
export async function setUser(person) {
  if (person) await refreshBalance();
  else balance.value = null;
  user.value = person;
}

export async function signUp(credentials) {
  const session = await api.createAccount(credentials);
  await setUser(session.user);
}

export async function signIn(credentials) {
  const session = await api.createSession(credentials);
  await setUser(session.user);
}

export async function signOut() {
  await api.deleteSession();
  await setUser(null);
}

/** Fetch the balance again. The server decides what it pays for, so a failure only leaves an older number in sight. */
export async function refreshBalance() {
  try {
    balance.value = (await api.getCredits()).balance;
  } catch (problem) {
    if (!problem.code) throw problem;
  }
}

/** Open the sign-in dialog with a reason to show (or null); resolves to whether the user signed in. */
export const askToSignIn = (why, mode = "signIn") => document.querySelector("auth-dialog").ask(why, mode);
