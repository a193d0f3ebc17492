/** Codes for what the server cannot tell us itself; all others are the server's own. */
export const CONNECTION_LOST = "CONNECTION_LOST";
export const UNEXPECTED_ANSWER = "UNEXPECTED_ANSWER";

/** Why a call did not do what was asked. */
export class Problem extends Error {
  constructor({ code, message, retryable = true, charged = null, balance = null, retryAfterS = null, outcomeUnknown = false }) {
    super(message);
    Object.assign(this, { code, retryable, charged, balance, retryAfterS, outcomeUnknown });
  }

  /** Read an RFC 9457 problem; anything else is an answer from something in between, such as a proxy. */
  static async fromResponse(response) {
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const body = isProblem ? await response.json() : {};
    if (!body.code) return Problem.unexpected(response.status);
    const { code, detail: message, retryable, charged, balance } = body;
    const retryAfterS = seconds(response.headers.get("Retry-After"));
    return new Problem({ code, message, retryable, charged, balance, retryAfterS, outcomeUnknown: charged === null });
  }

  /** The error that a failed generation keeps; the refund is committed together with it. */
  static fromGeneration({ error }) {
    const { code, message, retryable, refunded } = error;
    return new Problem({ code, message, retryable, charged: !refunded });
  }

  static connectionLost() {
    return new Problem({ code: CONNECTION_LOST, message: "The connection was lost.", outcomeUnknown: true });
  }

  static unexpected(status) {
    const message = `The server answered in an unexpected way (${status}).`;
    return new Problem({ code: UNEXPECTED_ANSWER, message, outcomeUnknown: status >= 500 });
  }
}

/** `Retry-After` as seconds; it may also be a date (RFC 9110, section 10.2.3). */
function seconds(retryAfter) {
  if (!retryAfter) return null;
  const given = Number(retryAfter);
  return Number.isNaN(given) ? Math.max(0, Math.ceil((Date.parse(retryAfter) - Date.now()) / 1000)) : given;
}
