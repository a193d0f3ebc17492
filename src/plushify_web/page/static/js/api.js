import { Problem } from "./problem.js";
import { setServerTime } from "./clock.js";
import { balance } from "./state.js";

export const getCatalog = () => call("GET", "/api/catalog");
export const getSession = () => call("GET", "/api/session");
export const getCredits = () => call("GET", "/api/credits");

export const createAccount = (credentials) => call("POST", "/api/accounts", { json: credentials });
export const createSession = (credentials) => call("POST", "/api/session", { json: credentials });
export const deleteSession = () => call("DELETE", "/api/session");

/** Submit a form with `image`, `style` and `quality`. The same key never makes, or charges for, a second generation. */
export const submitGeneration = (form, idempotencyKey) =>
  call("POST", "/api/generations", {
    body: form,
    headers: { "Idempotency-Key": idempotencyKey, Prefer: "respond-async" },
  });

export const listGenerations = ({ limit, cursor = null }) =>
  call("GET", `/api/generations?${new URLSearchParams({ limit, ...(cursor && { cursor }) })}`);
export const getGeneration = (id) => call("GET", generationPath(id));
export const deleteGeneration = (id) => call("DELETE", generationPath(id));
export const restoreGeneration = (id) => call("POST", `${generationPath(id)}/restore`);

const generationPath = (id) => `/api/generations/${encodeURIComponent(id)}`;

async function call(method, path, { json, body, headers } = {}) {
  const request = { method, body, headers: { Accept: "application/json", ...headers } };
  if (json) {
    request.body = JSON.stringify(json);
    request.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(path, request).catch(() => {
    throw Problem.connectionLost();
  });
  setServerTime(response.headers.get("Date"));
  if (!response.ok) throw noteBalance(await Problem.fromResponse(response).catch(() => Problem.unexpected(response.status)));
  if (response.status === 204) return null;
  return response.json().catch(() => {
    throw Problem.connectionLost();
  });
}

function noteBalance(problem) {
  if (problem.balance !== null) balance.value = problem.balance;
  return problem;
}
