/** What can be wrong with an assertion, and what a client is answered then. */
const STATUS = {
  missing: 401,
  too_large: 401,
  malformed: 401,
  wrong_algorithm: 401,
  wrong_issuer: 401,
  unknown_key: 401,
  wrong_signature: 401,
  wrong_audience: 401,
  expired: 401,
  not_yet_valid: 401,
  incomplete: 401,
  keys_unavailable: 503,
};

/**
 * Why an assertion was not accepted. `code` is for programs, `message` for the log: neither has the assertion in it.
 * `status` is the answer that Express, Koa and others give to an error with that property.
 */
export class VerificationError extends Error {
  constructor(code, message, options) {
    super(message, options);
    this.name = "VerificationError";
    this.code = code;
    this.status = STATUS[code];
  }
}

/** A text of a stranger, short and on one line, for a message. */
export function quoted(text) {
  if (typeof text !== "string") return text === undefined ? "none" : `a ${typeof text}`;
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
