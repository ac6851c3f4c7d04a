import { connection } from "next/server";

import { erase } from "./actions.js";
import { Erase } from "./erase.jsx";

export default async function Page() {
  await connection();
  return (
    <form action={erase}>
      <p>guarded page</p>
      <button>Erase</button>
      <Erase />
    </form>
  );
}
