import { auth } from "../../auth";
import { Account } from "../session";
import { shown } from "../shown";

export default async function Page() {
  return (
    <main>
      <h1>Account</h1>
      <pre id="server">{JSON.stringify(shown(await auth()))}</pre>
      <Account />
    </main>
  );
}
