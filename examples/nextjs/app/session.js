"use client";

import { SessionProvider, signIn, signOut, useSession } from "next-auth/react";

// Vestibule's base path. By default next-auth's client uses /api/auth.
export function Session({ children }) {
  return <SessionProvider basePath="/auth">{children}</SessionProvider>;
}

/** Who is signed in, as the browser knows it. */
export function Account() {
  const { data: session, status } = useSession();
  if (status === "loading") return <span id="account">…</span>;
  if (!session) {
    return (
      <span id="account">
        <button onClick={() => signIn()}>Sign in</button>
      </span>
    );
  }
  return (
    <span id="account">
      {session.user.name} ({session.user.roles?.join(", ")})
      <button onClick={() => signOut({ redirectTo: "/" })}>Sign out</button>
    </span>
  );
}
