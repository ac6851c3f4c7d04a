import { VerificationError, quoted } from "./errors.js";
import { field } from "./fields.js";
import { keySet } from "./keys.js";
import { verification } from "./options.js";

/** The header field of the assertion. */
const HEADER = "x-vestibule-assertion";
/** The longest assertion, in characters: Node.js accepts 16 KiB of header fields in all. */
const MAX_LENGTH = 16 * 1024;
/** The length of an ES256 signature: two numbers of 32 bytes (RFC 7518 section 3.4). */
const SIGNATURE_BYTES = 64;

/** The text of a request's assertion, not verified. `undefined` where nobody is signed in. */
export function assertionOf(request) {
  return field(request, HEADER);
}

/** The claims of the request's assertion, once its signature, issuer, audience and times are verified. */
export async function verifyAssertion(request, options) {
  const settings = verification(options);
  const token = assertionOf(request);
  if (token === undefined) {
    const message = "the request has no X-Vestibule-Assertion: nobody is signed in, or it did not come through the Worker";
    throw new VerificationError("missing", message);
  }
  return await verify(token, settings);
}

async function verify(token, settings) {
  if (typeof token !== "string" || token.length > MAX_LENGTH) {
    throw new VerificationError("too_large", `the assertion is longer than ${MAX_LENGTH} characters`);
  }
  const parts = token.split(".");
  if (parts.length !== 3) {
    throw new VerificationError("malformed", "the assertion is no JWT of three parts, or came several times");
  }
  const header = object(parts[0], "header");
  const claims = object(parts[1], "payload");
  const signature = bytes(parts[2], "signature");

  // The algorithm is this one and never the token's choice. `jwk`, `jku` and `x5c` in the header are not looked at.
  if (header.alg !== "ES256") {
    throw new VerificationError("wrong_algorithm", `the algorithm is ES256, and not ${quoted(header.alg)}`);
  }
  if (header.crit !== undefined) {
    throw new VerificationError("malformed", "the header has `crit`: extensions are not supported");
  }
  if (typeof header.kid !== "string") {
    throw new VerificationError("unknown_key", "the header names no key (`kid`)");
  }
  // Before the signature, because it says which keys count; only those of a configured issuer are ever fetched.
  if (!settings.issuers.includes(claims.iss)) {
    const expected = settings.issuers.map(quoted).join(" or ");
    throw new VerificationError("wrong_issuer", `the issuer is ${quoted(claims.iss)}, and not ${expected}`);
  }

  const url = settings.jwksUri(claims.iss);
  const keys = keySet(url, settings.fetch);
  const key = await keys.key(header.kid, { now: settings.now(), timeout: settings.timeout });
  if (key === undefined) {
    throw new VerificationError("unknown_key", `${url} has no key ${quoted(header.kid)}`);
  }
  const algorithm = { name: "ECDSA", hash: "SHA-256" };
  const signed = new TextEncoder().encode(`${parts[0]}.${parts[1]}`);
  const isGenuine =
    signature.length === SIGNATURE_BYTES && (await crypto.subtle.verify(algorithm, key, signature, signed));
  if (!isGenuine) throw new VerificationError("wrong_signature", "the signature does not verify");

  checkAudience(claims, settings);
  checkTimes(claims, settings);
  if (typeof claims.sub !== "string" || claims.sub === "") {
    throw new VerificationError("incomplete", "the assertion has no `sub`");
  }
  return claims;
}

function checkAudience({ aud }, { audiences }) {
  const list = Array.isArray(aud) ? aud : [aud];
  if (!list.some((audience) => audiences.includes(audience))) {
    const expected = audiences.map(quoted).join(" or ");
    const message = `the assertion is for ${list.slice(0, 4).map(quoted).join(", ")}, and not for ${expected}`;
    throw new VerificationError("wrong_audience", message);
  }
}

/** RFC 7519 sections 4.1.4 to 4.1.6. `exp` is required: an assertion is valid for a minute. */
function checkTimes({ exp, nbf, iat }, { now, clockTolerance }) {
  const seconds = now() / 1000;
  if (!Number.isFinite(exp)) throw new VerificationError("incomplete", "the assertion has no `exp`");
  if (seconds >= exp + clockTolerance) {
    throw new VerificationError("expired", `the assertion expired ${Math.round(seconds - exp)} seconds ago`);
  }
  for (const [name, time] of [["nbf", nbf], ["iat", iat]]) {
    if (time === undefined) continue;
    if (!Number.isFinite(time)) throw new VerificationError("malformed", `\`${name}\` is no number`);
    if (time > seconds + clockTolerance) {
      const message = `\`${name}\` is ${Math.round(time - seconds)} seconds ahead: compare the clocks`;
      throw new VerificationError("not_yet_valid", message);
    }
  }
}

function object(part, name) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes(part, name)));
  } catch {
    // Below.
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new VerificationError("malformed", `the ${name} of the assertion is no JSON object`);
  }
  return value;
}

/** The bytes of base64url without padding (RFC 7515 section 2). */
function bytes(text, name) {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) {
    throw new VerificationError("malformed", `the ${name} of the assertion is not base64url`);
  }
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
