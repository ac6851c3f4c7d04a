/**
 * What Vestibule's session adds to next-auth's types, for applications that keep its client: `useSession()`, `auth()` and
 * `getToken()`. Import it once, and name your own session in one declaration:
 *
 *     import type { Session } from "@vestibule-auth/edge/session";
 *     declare module "@vestibule-auth/edge/next-auth" {
 *       interface Register {
 *         session: Session<{ roles: string[] }>;
 *         claims: { roles: string[] };
 *       }
 *     }
 */
import type {} from "next-auth";
import type {} from "next-auth/jwt";
import type { Session, SessionFault } from "./session.js";

/** Declare `session`, what pages see, and `claims`, what is sealed. */
export interface Register {}

type RegisteredSession = Register extends { session: infer S extends Session } ? S : Session;
type RegisteredClaims = Register extends { claims: infer C extends object } ? C : {};
type TopLevel = Omit<RegisteredSession, "user" | "expires" | "error">;
type RegisteredUser = RegisteredSession["user"];

/** The claims of every sealed session (docs/sessions.md). */
interface SealedClaims extends RegisteredClaims {}
interface ShownClaims extends TopLevel {}

declare module "next-auth" {
  interface Session extends ShownClaims {
    user: RegisteredUser;
    error?: SessionFault;
  }
}

declare module "next-auth/jwt" {
  interface JWT extends SealedClaims {
    provider?: string;
    sid?: string;
    access_token?: string;
    /** When the access token expires, in seconds since 1970. */
    expires_at?: number;
    error?: SessionFault;
  }
}
