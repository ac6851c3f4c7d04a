/** Claims of a user that every session may show. What the provider does not say is missing. */
export interface DefaultUser {
  name?: string;
  email?: string;
  image?: string;
}

/** Why a session is not whole: the user has to sign in again. */
export type SessionFault = "RefreshTokenError" | "AccessTokenExpired";

/**
 * What `GET /auth/session` shows. `UserClaims` are the `user.…` of `session.expose`, `TopLevel` the others:
 *
 *     type MySession = Session<{ roles: string[] }, { access_token: string }>;
 */
export type Session<UserClaims extends object = {}, TopLevel extends object = {}> = {
  user: DefaultUser & UserClaims;
  /** When the session ends, in ISO 8601. */
  expires: string;
  error?: SessionFault;
} & TopLevel;

/** Where the Worker is. */
export interface RouteOptions {
  /** `base_path` of the configuration; `"/auth"` by default. */
  basePath?: string;
  /** The Worker's origin, for pages of `trusted_origins` or `token_origins`; by default that of the page. */
  origin?: string;
  signal?: AbortSignal;
  fetch?: (url: string, init?: any) => Promise<Response>;
}

/** The session as the page may see it, or `null` where nobody is signed in. */
export function getSession<S extends Session = Session>(options?: RouteOptions): Promise<S | null>;

export type FetchTokenOptions = RouteOptions;

export interface Token {
  accessToken: string;
  /** When it expires, or `null` if the provider does not say. */
  expiresAt: Date | null;
  /** A token of the type `DPoP` works through an upstream of the Worker only. */
  tokenType: "Bearer" | "DPoP";
}

/**
 * The access token, refreshed where that is due. For scripts of the page, where `session.expose` shows it.
 * Rejects with a `TokenError`.
 */
export function fetchToken(options?: FetchTokenOptions): Promise<Token>;

export type TokenErrorCode = "signed_out" | "token_expired" | "forbidden" | "not_exposed" | "unavailable";

export class TokenError extends Error {
  readonly name: "TokenError";
  readonly code: TokenErrorCode;
  /** Where the user signs in for a new token. */
  readonly signInUrl?: string;
  /** After how many seconds another attempt makes sense. */
  readonly retryAfter?: number;
}
