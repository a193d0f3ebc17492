import { setServerTime } from "./clock.js";
import { Problem } from "./problem.js";
import { balance } from "./state.js";

export const getCatalog = () => call("GET", "/api/catalog");
export const getSession = () => call("GET", "/api/session");
export const getCredits = () => call("GET", "/api/credits");

export const createAccount = (credentials) => call("POST", "/api/accounts", { json: credentials });
export const createSession = (credentials) => call("POST", "/api/session", { json: credentials });
export const deleteSession = () => call("DELETE", "/api/session");

/** Submit a form with `image`, `style` and `quality`. Sent again with the same key, it makes and charges nothing more. */
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
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return null;
  return response.json().catch(() => {
    throw Problem.connectionLost();
  });
}

/** Read why the server refused, and take over the balance it names. A body that cannot be read leaves only the status. */
async function problemOf(response) {
  const problem = await Problem.fromResponse(response).catch(() => Problem.unexpected(response.status));
  if (problem.balance !== null) balance.value = problem.balance;
  return problem;
}
