"use client";

import { SessionProvider, signIn, signOut, useSession } from "next-auth/react";

import { shown } from "./shown";

export function Session({ children }) {
  return <SessionProvider>{children}</SessionProvider>;
}

/** Who is signed in, as the browser knows it. */
export function Account() {
  const { data, status } = useSession();
  if (status === "loading") return <p>…</p>;
  return (
    <>
      <pre id="client">{JSON.stringify(shown(data))}</pre>
      {data ? (
        <button onClick={() => signOut({ callbackUrl: "/" })}>Sign out</button>
      ) : (
        <button onClick={() => signIn("okta", { callbackUrl: "/account" })}>Sign in</button>
      )}
    </>
  );
}
