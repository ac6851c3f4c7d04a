/** Requests to the Worker's own routes, from a page of the same site. */

const BASE_PATH = "/auth";

/** Why there is no access token. `signInUrl` is where the user gets one, `retryAfter` how many seconds to wait. */
export class TokenError extends Error {
  constructor(code, message, { signInUrl, retryAfter, cause } = {}) {
    super(message, { cause });
    this.name = "TokenError";
    this.code = code;
    this.signInUrl = signInUrl;
    this.retryAfter = retryAfter;
  }
}

/** The requests for a token that are on their way, by their address: scripts that ask together get one answer. */
const inFlight = new Map();

/** The access token, refreshed where that is due, from `GET /auth/token`. */
export async function fetchToken(options = {}) {
  const { signal, fetch: given } = options;
  const url = route("token", options);
  if (given !== undefined) return await requestToken(url, given, signal);
  // Each caller has its own signal, so a request that others wait for has none.
  let token = inFlight.get(url);
  if (token === undefined) {
    token = requestToken(url, globalThis.fetch).finally(() => inFlight.delete(url));
    inFlight.set(url, token);
  }
  return await unlessAborted(token, signal);
}

async function requestToken(url, fetch, signal) {
  let response;
  try {
    // Not `error`: a redirect is how the Worker says that the route is not for this site.
    const headers = { "X-Vestibule-Token": "1" };
    response = await fetch.call(undefined, url, { headers, credentials: "include", redirect: "manual", signal });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new TokenError("unavailable", `${url} does not answer`, { cause });
  }
  const body = await response.json().catch(() => undefined);
  if (response.status === 200 && typeof body?.access_token === "string") {
    return {
      accessToken: body.access_token,
      expiresAt: typeof body.expires_at === "number" ? new Date(body.expires_at * 1000) : null,
      tokenType: body.token_type === "DPoP" ? "DPoP" : "Bearer",
    };
  }
  throw failure(url, response, body);
}

function failure(url, response, body) {
  const signInUrl = typeof body?.signInUrl === "string" ? body.signInUrl : undefined;
  switch (response.status) {
    case 200:
      return new TokenError("signed_out", "the session has no access token");
    case 401: {
      const isExpired = body?.error === "token_expired";
      const message = isExpired
        ? "the access token has expired, and the user has to sign in again for a new one"
        : "nobody is signed in";
      return new TokenError(isExpired ? "token_expired" : "signed_out", message, { signInUrl });
    }
    case 403:
      return new TokenError("forbidden", `${url} answers pages of its own origin and of token_origins only`);
    case 429:
    case 503: {
      const retryAfter = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
      const options = { retryAfter: Number.isNaN(retryAfter) ? undefined : retryAfter };
      return new TokenError("unavailable", "the token cannot be refreshed at the moment", options);
    }
    default:
      return new TokenError(
        "not_exposed",
        `${url} gives no token (status ${response.status}): session.expose has to name access_token, and base_path has to be that of the Worker`,
      );
  }
}

/** The session as the page may see it, or `null` where nobody is signed in, from `GET /auth/session`. */
export async function getSession(options = {}) {
  const { signal, fetch = globalThis.fetch } = options;
  const url = route("session", options);
  const response = await fetch.call(undefined, url, { credentials: "include", signal });
  if (!response.ok) throw new Error(`${url} answers with the status ${response.status}`);
  const session = await response.json();
  // With `dialect = "next-auth-v4"` nobody is an empty object.
  return session?.user === undefined ? null : session;
}

function route(name, { origin = "", basePath = BASE_PATH }) {
  return `${origin.replace(/\/$/, "")}${basePath.replace(/\/$/, "")}/${name}`;
}

function unlessAborted(promise, signal) {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
