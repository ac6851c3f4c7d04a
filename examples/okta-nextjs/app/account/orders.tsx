"use client";

import { useSession } from "next-auth/react";
import { useState } from "react";

/** Calls the API in both ways: Vestibule adds the token, or the page sends the one of its session. */
export function Orders() {
  const { data: session } = useSession();
  const [answer, setAnswer] = useState<string>();
  const ask = async (path: string, headers: HeadersInit = {}) => {
    const response = await fetch(path, { headers });
    setAnswer(await response.text());
  };
  return (
    <>
      <button onClick={() => ask("/api/orders")}>Orders</button>
      <button onClick={() => ask("/public-api/orders", { Authorization: `Bearer ${session?.access_token}` })}>
        Orders with useSession()
      </button>
      {answer && <pre id="orders">{answer}</pre>}
    </>
  );
}
