import { auth, signIn, signOut } from "../auth";
import { Account } from "./session";
import { shown } from "./shown";

export default async function Home() {
  const session = await auth();
  return (
    <main>
      <h1>Home</h1>
      <pre id="server">{JSON.stringify(shown(session))}</pre>
      <Account />
      {session ? (
        <form
          action={async () => {
            "use server";
            await signOut({ redirectTo: "/" });
          }}
        >
          <button>Sign out by a server function</button>
        </form>
      ) : (
        <form
          action={async () => {
            "use server";
            await signIn("okta", { redirectTo: "/account" });
          }}
        >
          <button>Sign in by a server function</button>
        </form>
      )}
    </main>
  );
}
