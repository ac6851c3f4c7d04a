import type { DefaultSession } from "next-auth";
import type {} from "next-auth/jwt";

// What wrangler.toml adds to the session, for auth() and useSession().
interface Custom {
  groups: string[];
  isAdmin: boolean;
}

declare module "next-auth" {
  interface Session {
    user: DefaultSession["user"] & Custom & { id: string };
    access_token: string;
    error?: "RefreshTokenError" | "AccessTokenExpired";
  }
}

declare module "next-auth/jwt" {
  interface JWT extends Custom {}
}
