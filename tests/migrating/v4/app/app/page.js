import { getServerSession } from "next-auth";

import { authOptions } from "../auth";
import { Account } from "./session";
import { shown } from "./shown";

export default async function Home() {
  return (
    <main>
      <h1>Home</h1>
      <pre id="server">{JSON.stringify(shown(await getServerSession(authOptions)))}</pre>
      <Account />
    </main>
  );
}
