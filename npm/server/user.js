import { assertionOf, verifyAssertion } from "./assertion.js";
import { field } from "./fields.js";

/** What an assertion says beside its user. */
const ABOUT_THE_ASSERTION = new Set(["iss", "aud", "iat", "exp", "nbf", "jti", "sub", "provider", "name", "email"]);

/**
 * The user of the request, or `null` where nobody is signed in. The user comes from the verified assertion; an assertion
 * that is not valid is an error, and never `null`. With `trustNetwork: true` the user comes from plain header fields.
 */
export async function user(request, options) {
  if (options?.trustNetwork === true) return plainUser(request, options);
  if (options?.headers !== undefined) {
    throw new TypeError("options.headers: plain header fields are believed with `trustNetwork: true` only");
  }
  if (assertionOf(request) === undefined) {
    return null;
  }
  const claims = await verifyAssertion(request, options);
  const own = Object.entries(claims).filter(([name]) => !ABOUT_THE_ASSERTION.has(name));
  return person(claims, Object.fromEntries(own));
}

function person({ sub, provider, name, email }, claims) {
  const text = (value) => (typeof value === "string" ? value : null);
  return {
    sub,
    provider: text(provider),
    account: text(provider) === null ? null : `${provider}:${sub}`,
    name: text(name),
    email: text(email),
    claims,
  };
}

/** The user as header fields say, which is true only if nothing but the Worker reaches this server. */
function plainUser(request, { headers, encoding }) {
  if (headers === null || typeof headers !== "object" || headers.sub === undefined) {
    throw new TypeError(
      'options.headers: names the fields of the configuration\'s `headers`, and `sub` among them: { sub: "X-User" }',
    );
  }
  const named = {};
  const claims = {};
  for (const [claim, written] of Object.entries(headers)) {
    const { name, list = false } = typeof written === "string" ? { name: written } : written;
    const raw = field(request, name.toLowerCase());
    if (raw === undefined || raw === "") continue;
    const value = list ? raw.split(",").map(percentDecoded) : decoded(raw, encoding);
    if (ABOUT_THE_ASSERTION.has(claim)) named[claim] = value;
    else claims[claim] = value;
  }
  return typeof named.sub === "string" ? person(named, claims) : null;
}

/** A claim that is a text. Where servers read the bytes of UTF-8 as Latin-1, they are put together again. */
function decoded(raw, encoding) {
  if (encoding === "percent") return percentDecoded(raw);
  if (!/^[\0-\xff]*$/.test(raw) || !/[\x80-\xff]/.test(raw)) return raw;
  const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return raw;
  }
}

function percentDecoded(text) {
  const plain = decoded(text, undefined);
  try {
    return decodeURIComponent(plain);
  } catch {
    return plain;
  }
}
