"use client";

import { SessionProvider, signIn, signOut, useSession } from "next-auth/react";
import type { ReactNode } from "react";

// Vestibule's base path. By default next-auth's client uses /api/auth.
export function Session({ children }: { children: ReactNode }) {
  return <SessionProvider basePath="/auth">{children}</SessionProvider>;
}

/** Who is signed in, as the browser knows it. */
export function Account() {
  const { data: session, status } = useSession();
  if (status === "loading") return <span id="account">…</span>;
  if (!session) {
    return (
      <span id="account">
        <button onClick={() => signIn("okta")}>Sign in</button>
      </span>
    );
  }
  const { name, id, groups, isAdmin } = session.user;
  return (
    <span id="account">
      {`${name}, id ${id}, ${groups.join(" and ")}${isAdmin ? ", admin" : ""}`}
      <button onClick={() => signOut({ redirectTo: "/" })}>Sign out</button>
    </span>
  );
}
