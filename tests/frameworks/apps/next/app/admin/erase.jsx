"use client";

import { erase } from "./actions.js";

export function Erase() {
  return <button onClick={() => erase()}>Erase by a script</button>;
}
