// next-auth 4's client and server with the session's type.
import { getServerSession } from "next-auth";
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

export function Roles() {
  const { data: session } = useSession();
  const roles: string[] | undefined = session?.user.roles;
  const token: string | undefined = session?.access_token;
  const error: "RefreshTokenError" | "AccessTokenExpired" | undefined = session?.error;
  const email: string | null | undefined = session?.user.email;
  return [roles, token, error, email].join();
}

export async function onTheServer(req: Parameters<typeof getToken>[0]["req"]) {
  const session = await getServerSession();
  const roles: string[] | undefined = session?.user.roles;
  const token = await getToken({ req });
  const sealed: string[] | undefined = token?.roles;
  const expires: number | undefined = token?.expires_at;
  // @ts-expect-error: nobody declared it
  void session?.user.plan;
  return { roles, sealed, expires };
}
