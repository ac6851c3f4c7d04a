"use client";

import { useState } from "react";

/** Asks this application's own API what the session says. */
export function Token() {
  const [answer, setAnswer] = useState();
  const ask = async () => {
    const response = await fetch("/api/token");
    setAnswer(await response.json());
  };
  return (
    <>
      <button onClick={ask}>What does getToken() read?</button>
      {answer && <pre id="token">{JSON.stringify(answer, null, 2)}</pre>}
    </>
  );
}
