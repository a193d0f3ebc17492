/** Codes for problems that the page finds itself; the server defines all others. */
export const CONNECTION_LOST = "CONNECTION_LOST";
export const UNEXPECTED_ANSWER = "UNEXPECTED_ANSWER";

/** The reason why a call to the server failed. `outcomeUnknown` says that the server may have done it all the same. */
export class Problem extends Error {
  constructor({ code, message, retryable = true, charged = null, balance = null, retryAfterS = null, outcomeUnknown = false }) {
    super(message);
    Object.assign(this, { code, retryable, charged, balance, retryAfterS, outcomeUnknown });
  }

  /** Read an RFC 9457 problem; any other body comes from something in between, such as a proxy. */
  static async fromResponse(response) {
    const isProblem = response.headers.get("Content-Type")?.startsWith("application/problem+json");
    const body = isProblem ? await response.json() : {};
    if (!body.code) return Problem.unexpected(response.status);
    const { code, detail: message, retryable, charged, balance } = body;
    const retryAfterS = parseRetryAfter(response.headers.get("Retry-After"));
    return new Problem({ code, message, retryable, charged, balance, retryAfterS, outcomeUnknown: charged === null });
  }

  /** The stored error of a failed generation. `refunded` is certain: the refund is committed together with the error. */
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

/** `Retry-After` in seconds from now; the header may also be a date (RFC 9110, section 10.2.3). */
function parseRetryAfter(header) {
  if (!header) return null;
  const delayS = Number(header);
  return Number.isNaN(delayS) ? Math.max(0, Math.ceil((Date.parse(header) - Date.now()) / 1000)) : delayS;
}
