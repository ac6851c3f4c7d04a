// A page of an application written for Auth.js: it calls every function of next-auth/react and shows the results. app.mjs
// bundles it with the unmodified code of one version of next-auth.
import { useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { getCsrfToken, getProviders, getSession, SessionProvider, signIn, signOut, useSession } from "next-auth/react";

const NEXT = "/other?tab=1&name=caf%C3%A9";

function Page() {
  const { pathname } = window.location;
  const { data: session, status, update } = useSession({ required: pathname === "/required" });
  const [result, setResult] = useState("");
  const seen = useRef([]);
  if (seen.current.at(-1) !== status) seen.current.push(status);

  // The return value of a function of next-auth, or the error that it threw.
  const call = (name, run) => async () => {
    setResult("");
    const value = await run().catch((error) => ({ thrown: String(error) }));
    setResult(JSON.stringify({ [name]: value ?? null }));
  };
  const button = (name, run) => <button onClick={call(name, run)}>{name}</button>;

  return (
    <main>
      <h1>{pathname}</h1>
      <p>
        <span id="status">{status}</span>: <span id="name">{session?.user?.name}</span>
      </p>
      <p id="seen">{seen.current.join(", ")}</p>
      <pre id="session">{JSON.stringify(session)}</pre>
      <p>
        {button("signIn demo", () => signIn("demo"))}
        {button("signIn demo for another page", () => signIn("demo", { callbackUrl: NEXT }))}
        {button("signIn with a hint", () => signIn("demo", undefined, { login_hint: "bob@example.com" }))}
        {button("signIn", () => signIn())}
        {button("signOut", () => signOut())}
        {button("signOut for another page", () => signOut({ callbackUrl: NEXT }))}
        {button("signOut here", () => signOut({ redirect: false }))}
      </p>
      <p>
        {button("update", () => update())}
        {button("update the name", () => update({ name: "Bob Renamed" }))}
        {button("update the roles", () => update({ roles: ["admin"], user: { roles: ["admin"] } }))}
        {button("getSession", () => getSession())}
        {button("getCsrfToken", () => getCsrfToken())}
        {button("getProviders", () => getProviders())}
      </p>
      <Credentials call={call} />
      <output id="result">{result}</output>
    </main>
  );
}

function Credentials({ call }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const submit = (options) => () => signIn("credentials", { email, password, ...options });
  return (
    <form onSubmit={(event) => event.preventDefault()}>
      <label>
        Email <input value={email} autoComplete="username" onChange={(event) => setEmail(event.target.value)} />
      </label>
      <label>
        Password{" "}
        <input
          type="password"
          value={password}
          autoComplete="current-password"
          onChange={(event) => setPassword(event.target.value)}
        />
      </label>
      <button onClick={call("signIn credentials here", submit({ redirect: false }))}>signIn credentials here</button>
      <button onClick={call("signIn credentials", submit({ callbackUrl: NEXT }))}>signIn credentials</button>
    </form>
  );
}

// A page whose server already knows the session passes it to SessionProvider, which then does not fetch it.
const given = document.getElementById("given");
createRoot(document.getElementById("root")).render(
  <SessionProvider basePath={BASE_PATH} session={given ? JSON.parse(given.textContent) : undefined}>
    <Page />
  </SessionProvider>,
);
