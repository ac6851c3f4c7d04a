// next-auth 5: `useSession()`, `auth()` and `getToken()` with the session's type.
import NextAuth from "next-auth";
import { getToken } from "next-auth/jwt";
import { useSession } from "next-auth/react";
import type {} from "@vestibule-auth/edge/next-auth";
import type { Session } from "@vestibule-auth/edge/session";

declare module "@vestibule-auth/edge/next-auth" {
  interface Register {
    session: Session<{ id: string; roles: string[] }, { access_token: string }>;
    claims: { roles: string[] };
  }
}

export const { auth } = NextAuth({
  providers: [],
  basePath: "/auth",
  callbacks: {
    session({ session, token }) {
      session.user.id = token.sub ?? "";
      session.user.roles = token.roles;
      return session;
    },
  },
});

export function Roles() {
  const { data: session } = useSession();
  const roles: string[] | undefined = session?.user.roles;
  const token: string | undefined = session?.access_token;
  const error: "RefreshTokenError" | "AccessTokenExpired" | undefined = session?.error;
  const email: string | null | undefined = session?.user.email;
  return [roles, token, error, email].join();
}

export async function onTheServer(req: Parameters<typeof getToken>[0]["req"]) {
  const session = await auth();
  const roles: string[] | undefined = session?.user.roles;
  const token = await getToken({ req, secret: "the-secret-of-a-test" });
  const sealed: string[] | undefined = token?.roles;
  const expires: number | undefined = token?.expires_at;
  // @ts-expect-error: nobody declared it
  void session?.user.plan;
  return { roles, sealed, expires };
}
