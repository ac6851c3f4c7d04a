/** A request: Fetch's `Request`, Node.js's `IncomingMessage` (Express, Koa, Connect), or `{ headers }` with either kind. */
export type RequestLike =
  | { readonly headers: HeadersLike | Readonly<Record<string, string | string[] | undefined>> }
  | HeadersLike;

/** `Headers`, and what frameworks have in its place. */
export interface HeadersLike {
  get(name: string): string | null | undefined;
}

/** What is verified, and with which keys. */
export interface VerificationOptions {
  /**
   * `https://HOST` + `base_path`, for example `"https://app.example.com/auth"`; several where the Worker is in front of
   * several hosts.
   */
  issuer: string | readonly string[];
  /** Who the assertion is for: the origin of the upstream's URL, or the text of `assertion` in the configuration. */
  audience: string | readonly string[];
  /** Where the keys are, if not at the issuer + `/jwks.json`. */
  jwksUri?: string;
  /** How far the clocks of the Worker and of this server may be apart, in seconds: 0 to 60, 5 by default. */
  clockTolerance?: number;
  /** How long the key set may take, in milliseconds: 5000 by default. */
  timeout?: number;
  /** Fetches the key set. The keys are kept for each such function, so give the same one every time. */
  fetch?: (url: string, init?: any) => Promise<Response>;
  /** The time in milliseconds since 1970; for tests. */
  now?: () => number;
}

/** The claims of an assertion. `C` are those of `headers` in the configuration. */
export type AssertionClaims<C extends object = {}> = {
  iss: string;
  aud: string | string[];
  /** The user's identifier at the provider; unique for one provider. */
  sub: string;
  /** The provider's `id` in the configuration. Sessions that Auth.js made do not name it. */
  provider?: string;
  name?: string;
  email?: string;
  /** In seconds since 1970, as `exp`. */
  iat: number;
  exp: number;
  /** Another one in each assertion: a server that must not do a thing twice remembers it until `exp`. */
  jti: string;
} & C;

/** A signed-in user. */
export interface User<C extends object = {}> {
  /** The user's identifier at the provider; unique for one provider. */
  sub: string;
  provider: string | null;
  /** `PROVIDER:SUB`: unique for all providers. */
  account: string | null;
  name: string | null;
  /** Never an address that the provider calls unverified. */
  email: string | null;
  /** The claims of `headers` in the configuration. They are what the provider says: test what matters. */
  claims: Partial<C> & Record<string, unknown>;
}

/** The plain header fields of `headers` in the configuration, which are true only if nothing but the Worker reaches this server. */
export interface TrustedNetworkOptions {
  trustNetwork: true;
  /** The header field of each claim; `list` for a claim that is a list. */
  headers: { sub: string } & Record<string, string | { name: string; list?: boolean }>;
  /** `"percent"` where the upstream has `header_encoding = "percent"`. */
  encoding?: "percent";
}

export type UserOptions = (VerificationOptions & { trustNetwork?: false }) | TrustedNetworkOptions;

export type VerificationErrorCode =
  | "missing"
  | "too_large"
  | "malformed"
  | "wrong_algorithm"
  | "wrong_issuer"
  | "unknown_key"
  | "wrong_signature"
  | "wrong_audience"
  | "expired"
  | "not_yet_valid"
  | "incomplete"
  | "keys_unavailable";

/** Why an assertion was not accepted. The message says it for the log; neither has the assertion in it. */
export class VerificationError extends Error {
  readonly name: "VerificationError";
  readonly code: VerificationErrorCode;
  /** 503 for `keys_unavailable`, 401 for all others. */
  readonly status: 401 | 503;
}

/**
 * The claims of the request's assertion, once signature, issuer, audience and times are verified.
 * Rejects with a `VerificationError`, also where the request has no assertion.
 */
export function verifyAssertion<C extends object = {}>(
  request: RequestLike,
  options: VerificationOptions,
): Promise<AssertionClaims<C>>;

/** The user of the request, or `null` where nobody is signed in. An assertion that is not valid rejects. */
export function user<C extends object = {}>(request: RequestLike, options: UserOptions): Promise<User<C> | null>;

export type MiddlewareOptions = UserOptions & {
  /** Answers 401 where nobody is signed in. */
  required?: boolean;
  /** Told of every assertion that was not accepted, for the log. */
  onError?: (error: VerificationError) => void;
};

/** For Express and Connect: `response.locals.user` is the user, or `null`. */
export function expressUser(
  options: MiddlewareOptions,
): (request: { headers: Record<string, string | string[] | undefined> }, response: any, next: (error?: any) => void) => Promise<void>;

/** For Hono: `c.get("user")` is the user, or `null`. Write `new Hono<{ Variables: { user: User | null } }>()`. */
export function honoUser<C extends object = {}>(
  options: MiddlewareOptions,
): (
  context: { readonly req: { readonly raw: Request }; set(key: "user", value: User<C> | null): void },
  next: () => Promise<void>,
) => Promise<Response | undefined>;

export { TokenError, fetchToken } from "../types/session.js";
export type { FetchTokenOptions, Token, TokenErrorCode } from "../types/session.js";
