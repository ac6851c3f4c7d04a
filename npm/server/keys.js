import { VerificationError } from "./errors.js";

/** How long a key set counts as fresh: what the Worker says in `Cache-Control`. In milliseconds, as everything here. */
const FRESH = 5 * 60_000;
/**
 * How long a set is used while it cannot be fetched again. An outage of the Worker then ends no sessions; and a key of a
 * secret that was replaced counts for an hour at most.
 */
const MAX_AGE = 60 * 60_000;
/** The shortest time between two requests for a set: an unknown `kid` in every request does not become one each. */
const THROTTLE = 10_000;
/** A set of the Worker has at most four keys of about 200 bytes. */
const MAX_BYTES = 64 * 1024;
const MAX_KEYS = 32;
/** The most sets that a process keeps for one `fetch`. */
const MAX_SETS = 64;

/** The key sets of the process, by the function that fetches them and by their address. */
const sets = new WeakMap();

/** The key set at `url`; the same one for every call with this address and this `fetch`. */
export function keySet(url, fetch) {
  let byUrl = sets.get(fetch);
  if (byUrl === undefined) sets.set(fetch, (byUrl = new Map()));
  let set = byUrl.get(url);
  if (set === undefined) {
    if (byUrl.size >= MAX_SETS) byUrl.delete(byUrl.keys().next().value);
    byUrl.set(url, (set = new KeySet(url, fetch)));
  }
  return set;
}

class KeySet {
  #url;
  #fetch;
  #keys;
  #fetchedAt = -Infinity;
  #triedAt = -Infinity;
  #failure;
  #inFlight;

  constructor(url, fetch) {
    this.#url = url;
    this.#fetch = fetch;
  }

  /** The key with this `kid`, for `verify`. `undefined` if the set, as new as the throttle allows, has none. */
  async key(kid, { now, timeout }) {
    const known = this.#find(kid, now);
    const isFresh = now - this.#fetchedAt < FRESH;
    if (known !== undefined && (isFresh || !this.#mayTry(now))) return known;
    if (this.#mayTry(now)) await this.#refresh(now, timeout);
    else if (this.#inFlight !== undefined) await this.#wait(this.#inFlight, timeout);
    const key = this.#find(kid, now);
    if (key === undefined && (this.#keys === undefined || this.#failure !== undefined)) {
      const why = this.#failure?.message ?? "a request for it did not end";
      throw new VerificationError("keys_unavailable", `the key set ${this.#url} is unavailable: ${why}`, {
        cause: this.#failure,
      });
    }
    return key;
  }

  #find(kid, now) {
    return now - this.#fetchedAt <= MAX_AGE ? this.#keys?.get(kid) : undefined;
  }

  #mayTry(now) {
    // A clock that was set back must not end the requests for ever.
    return Math.abs(now - this.#triedAt) >= THROTTLE;
  }

  async #refresh(now, timeout) {
    this.#triedAt = now;
    const load = this.#load(timeout).then(
      (keys) => {
        this.#keys = keys;
        this.#fetchedAt = now;
        this.#failure = undefined;
      },
      (error) => {
        this.#failure = error;
      },
    );
    const inFlight = load.then(() => {
      if (this.#inFlight === inFlight) this.#inFlight = undefined;
    });
    this.#inFlight = inFlight;
    await this.#wait(inFlight, timeout);
  }

  /**
   * Waits for a request, with a timer of one's own: on Workers the request may belong to a client that has gone, and then
   * never ends.
   */
  async #wait(inFlight, timeout) {
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => {
        if (this.#inFlight === inFlight) {
          this.#inFlight = undefined;
          this.#failure = new Error(`no answer within ${timeout} ms`);
        }
        resolve();
      }, timeout);
    });
    await Promise.race([inFlight, late]);
    clearTimeout(timer);
  }

  async #load(timeout) {
    const response = await this.#fetch.call(undefined, this.#url, {
      headers: { accept: "application/jwk-set+json, application/json" },
      // A redirect could lead to keys of somebody else.
      redirect: "manual",
      signal: AbortSignal.timeout(timeout),
      // Next.js keeps answers unless it is told not to; older Workers refuse the key.
      ...(globalThis.navigator?.userAgent === "Cloudflare-Workers" ? {} : { cache: "no-store" }),
    });
    if (response.status !== 200) {
      response.body?.cancel().catch(() => {});
      throw new Error(`the answer has the status ${response.status}${HINTS[response.status] ?? ""}`);
    }
    return await parsed(await text(response));
  }
}

const HINTS = {
  404: "; the Worker has no keys unless an upstream or a rule has `assertion = true`",
};

/** The body as text, of at most `MAX_BYTES`. */
async function text(response) {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let length = 0;
  let text = "";
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    length += value.byteLength;
    if (length > MAX_BYTES) {
      reader.cancel().catch(() => {});
      throw new Error(`the answer is longer than ${MAX_BYTES} bytes`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** The usable keys of a JWK Set (RFC 7517 section 5) by their `kid`. Others, and a `kid` that comes twice, are left out. */
async function parsed(text) {
  let list;
  try {
    list = JSON.parse(text)?.keys;
  } catch {
    throw new Error("the answer is not JSON");
  }
  if (!Array.isArray(list)) throw new Error("the answer is no JWK Set: it has no list `keys`");
  const keys = new Map();
  const twice = new Set();
  for (const jwk of list.slice(0, MAX_KEYS)) {
    if (!isForAssertions(jwk)) continue;
    if (keys.has(jwk.kid)) twice.add(jwk.kid);
    keys.set(jwk.kid, await imported(jwk));
  }
  for (const kid of twice) keys.delete(kid);
  for (const [kid, key] of keys) if (key === undefined) keys.delete(kid);
  return keys;
}

function isForAssertions(jwk) {
  return (
    jwk !== null &&
    typeof jwk === "object" &&
    typeof jwk.kid === "string" &&
    jwk.kty === "EC" &&
    jwk.crv === "P-256" &&
    (jwk.alg === undefined || jwk.alg === "ES256") &&
    (jwk.use === undefined || jwk.use === "sig")
  );
}

/** The public key; `undefined` for one that is no point of the curve. */
async function imported({ kty, crv, x, y }) {
  try {
    const algorithm = { name: "ECDSA", namedCurve: "P-256" };
    return await crypto.subtle.importKey("jwk", { kty, crv, x, y }, algorithm, false, ["verify"]);
  } catch {
    return undefined;
  }
}
