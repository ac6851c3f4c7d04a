// Tests an application that uses next-auth/react in a real browser: its behaviour must be the same with Vestibule's auth
// routes as with Auth.js's. It runs once with the unmodified client of version 5 and once with version 4's; react/ contains
// the application and the two configurations. `cargo xtask test` starts them and runs this script.
//
// REACT_CLIENT  the package: next-auth or next-auth-v4
// and the variables of visits.mjs
import assert from "node:assert/strict";

import { make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

const V4 = process.env.REACT_CLIENT === "next-auth-v4";
const AUTH = `${ROOT}${V4 ? "/api/auth" : "/auth"}`;
const OTHER = `${ROOT}/other?tab=1&name=caf%C3%A9`;

await make(`next-auth/react ${V4 ? 4 : 5}`, [
  ["somebody who signs in at a provider", oauth],
  ["somebody who changes their session", updates],
  ["somebody with a password", passwords],
  ["somebody with two tabs", tabs],
  ["somebody on a page that requires a session", required],
  ["nobody", nobody],
]);

async function oauth(page, check) {
  await check("without a session the status is first loading, then unauthenticated", async () => {
    await page.goto(`${ROOT}/`);
    await unauthenticated(page);
    await see(page, "#session", /^null$/);
    await see(page, "#seen", /^loading, unauthenticated$/);
  });
  await check("signIn(provider) leads to the provider and back to the same page", async () => {
    await page.goto(`${ROOT}/from?here=1#part`);
    await press(page, "signIn demo");
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/from?here=1#part`);
    await authenticated(page, "Bob Example");
    const session = await shown(page);
    assert.deepEqual(session.user, { name: "Bob Example", email: "bob@example.com", roles: ["user"] });
    assert.ok(Date.parse(session.expires) > Date.now(), `expires: ${session.expires}`);
    await picture(page, `react-${V4 ? 4 : 5}`);
  });
  await check("a reload keeps the session", async () => {
    await page.reload();
    await authenticated(page, "Bob Example");
    await see(page, "#seen", /^loading, authenticated$/);
  });
  await check("a session that the server passes to SessionProvider is shown immediately", async () => {
    await page.goto(`${ROOT}/given`);
    await authenticated(page, "bob@example.com (given)");
    await see(page, "#seen", /^authenticated$/);
  });
  await check("getSession returns the session that useSession shows", async () => {
    await page.goto(`${ROOT}/`);
    await authenticated(page, "Bob Example");
    const session = await result(page, "getSession");
    assert.deepEqual({ ...session, expires: 0 }, { ...(await shown(page)), expires: 0 });
  });
  await check("signOut({ redirect: false }) ends the session and stays on the page", async () => {
    const { url } = await result(page, "signOut here");
    assert.equal(url, `${ROOT}/`);
    await unauthenticated(page);
    assert.equal(page.url(), `${ROOT}/`);
    assert.equal(await result(page, "getSession"), null);
  });
  await check("signIn(provider, { callbackUrl }) leads to that page with its query", async () => {
    await press(page, "signIn demo for another page");
    await page.waitForURL(OTHER); // Bob still has a session at the provider.
    await authenticated(page, "Bob Example");
  });
  await check("signOut() reloads the page without a session", async () => {
    await press(page, "signOut");
    await unauthenticated(page);
    assert.equal(page.url(), OTHER);
    await see(page, "#seen", /^loading, unauthenticated$/);
  });
  await check("signOut({ callbackUrl }) leads to that page", async () => {
    await page.goto(`${ROOT}/`);
    await press(page, "signIn demo");
    await authenticated(page, "Bob Example");
    await press(page, "signOut for another page");
    await page.waitForURL(OTHER);
    await unauthenticated(page);
  });
}

async function updates(page, check) {
  await check("signIn(provider, …, parameters) passes a login hint to the provider", async () => {
    await page.goto(`${ROOT}/`);
    await press(page, "signIn with a hint");
    await page.waitForURL("**/interaction/**");
    assert.equal(await page.getByLabel("Email").inputValue(), "bob@example.com");
    await signInAtProvider(page, "bob@example.com", "bob");
    await authenticated(page, "Bob Example");
  });
  await check("update(data) changes updatable claims, and a reload shows the change", async () => {
    const session = await result(page, "update the name");
    assert.equal(session.user.name, "Bob Renamed");
    await authenticated(page, "Bob Renamed");
    await page.reload();
    await authenticated(page, "Bob Renamed");
  });
  await check("update() fetches the session again", async () => {
    const session = await result(page, "update");
    assert.equal(session.user.name, "Bob Renamed");
    await authenticated(page, "Bob Renamed");
  });
  await check("update(data) does not change other claims", async () => {
    const session = await result(page, "update the roles");
    assert.deepEqual(session.user.roles, ["user"]);
    await page.reload();
    await authenticated(page, "Bob Renamed");
    assert.deepEqual((await shown(page)).user.roles, ["user"]);
  });
}

async function passwords(page, check) {
  await check("a wrong password with redirect: false stays on the page and returns the error", async () => {
    await page.goto(`${ROOT}/`);
    await fill(page, "carol@example.com", "wrong");
    const answer = await result(page, "signIn credentials here");
    const v4 = { error: "CredentialsSignin", status: 401, ok: false, url: null };
    const v5 = { error: "CredentialsSignin", code: "credentials", status: 200, ok: true, url: null };
    assert.deepEqual(answer, V4 ? v4 : v5);
    await unauthenticated(page);
  });
  await check("the page receives the API's own error code", async () => {
    await fill(page, "locked@example.com", "carol");
    const { error, code } = await result(page, "signIn credentials here");
    // Version 4 does not support codes.
    assert.deepEqual({ error, code }, { error: "CredentialsSignin", code: V4 ? undefined : "account_locked" });
  });
  await check("the right password with redirect: false signs in without leaving the page", async () => {
    await fill(page, "carol@example.com", "carol");
    const { error, status, ok, url } = await result(page, "signIn credentials here");
    assert.deepEqual({ error: error ?? null, status, ok, url }, { error: null, status: 200, ok: true, url: `${ROOT}/` });
    await authenticated(page, "Carol Example");
    assert.deepEqual((await shown(page)).user, { name: "Carol Example", email: "carol@example.com", roles: ["user"] });
    await see(page, "#seen", /^loading, unauthenticated, authenticated$/);
  });
  await check("the right password with a redirect leads to the requested page", async () => {
    await result(page, "signOut here");
    await fill(page, "carol@example.com", "carol");
    await press(page, "signIn credentials");
    await page.waitForURL(OTHER);
    await authenticated(page, "Carol Example");
  });
  await check("a wrong password with a redirect leads to the sign-in page, which shows the error", async () => {
    await result(page, "signOut here");
    await fill(page, "carol@example.com", "wrong");
    await press(page, "signIn credentials");
    await page.waitForURL((url) => url.pathname.endsWith("/signin") && url.searchParams.get("error") === "CredentialsSignin");
    await page.getByRole("alert").waitFor();
  });
}

async function tabs(page, check, tab) {
  const other = await tab();
  await check("a sign-in in one tab updates the other tab", async () => {
    await other.goto(`${ROOT}/second`);
    await unauthenticated(other);
    await page.goto(`${ROOT}/`);
    await unauthenticated(page);
    await nextSecond(page);
    await press(page, "signIn demo");
    await signInAtProvider(page, "bob@example.com", "bob");
    await authenticated(page, "Bob Example");
    await authenticated(other, "Bob Example");
    await see(other, "#seen", /^loading, unauthenticated, authenticated$/);
  });
  await check("an update in one tab updates the other tab", async () => {
    await nextSecond(page);
    await result(page, "update the name");
    await authenticated(other, "Bob Renamed");
  });
  await check("a sign-out in one tab updates the other tab", async () => {
    await press(page, "signOut here");
    await unauthenticated(page);
    await unauthenticated(other);
  });
  await check("a tab notices the end of its session when it becomes visible again", async () => {
    await press(page, "signIn demo");
    await authenticated(page, "Bob Example");
    await page.context().clearCookies({ name: /session-token/ });
    await see(page, "#status", /^authenticated$/);
    await nextSecond(page);
    await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
    await unauthenticated(page);
  });
}

async function required(page, check) {
  await check("useSession({ required: true }) leads to the sign-in page", async () => {
    await page.goto(`${ROOT}/required`);
    await page.waitForURL((url) => `${url.origin}${url.pathname}` === `${AUTH}/signin`);
    await page.getByRole("alert").filter({ hasText: "sign in to see this page" }).waitFor();
  });
  await check("a sign-in leads from there back to the page", async () => {
    await signInButton(page).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/required`);
    await authenticated(page, "Alice Example");
    await see(page, "#seen", /^loading, authenticated$/);
  });
}

async function nobody(page, check) {
  await check("signIn() without a provider leads to the sign-in page, and from there back", async () => {
    await page.goto(`${ROOT}/from?here=1`);
    await press(page, "signIn");
    await page.waitForURL((url) => `${url.origin}${url.pathname}` === `${AUTH}/signin`);
    await signInButton(page).click();
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/from?here=1`);
    await authenticated(page, "Bob Example");
    await result(page, "signOut here");
  });
  await check("getProviders returns the providers with absolute addresses", async () => {
    const { demo, credentials } = await result(page, "getProviders");
    const [signinUrl, callbackUrl] = [`${AUTH}/signin/demo`, `${AUTH}/callback/demo`];
    const type = V4 ? "oauth" : "oidc";
    assert.deepEqual(demo, { id: "demo", name: "Demo", type, signinUrl, callbackUrl });
    assert.equal(credentials?.type, "credentials");
  });
  await check("getCsrfToken returns the same token each time", async () => {
    const token = await result(page, "getCsrfToken");
    assert.match(token, /^[0-9a-f]{64}$/);
    assert.equal(await result(page, "getCsrfToken"), token);
  });
  await check("a sign-out without a session has no effect", async () => {
    const { url } = await result(page, "signOut here");
    assert.equal(url, `${ROOT}/from?here=1`);
    await unauthenticated(page);
  });
  await check("update() without a session returns no session", async () => {
    assert.equal(await result(page, "update the name"), null);
    await unauthenticated(page);
  });
}

// The clients use timestamps in whole seconds. Version 4 notifies other tabs only once of two changes within one second, and
// neither version fetches a session again within the same second.
async function nextSecond(page) {
  const now = await page.evaluate(() => Math.floor(Date.now() / 1000));
  await page.waitForFunction((now) => Math.floor(Date.now() / 1000) > now, now);
}

async function press(page, name) {
  await page.bringToFront(); // Chromium throttles background tabs.
  await page.getByRole("button", { name, exact: true }).click();
}

// The return value of the function that the button with this name calls.
async function result(page, name) {
  await press(page, name);
  await page.locator("#result", { hasText: `{"${name}":` }).waitFor();
  return JSON.parse(await page.textContent("#result"))[name];
}

async function fill(page, email, password) {
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
}

async function authenticated(page, name) {
  await see(page, "#status", /^authenticated$/);
  await see(page, "#name", name);
}

async function unauthenticated(page) {
  await see(page, "#status", /^unauthenticated$/);
}

// The session that the page shows.
async function shown(page) {
  return JSON.parse(await page.textContent("#session"));
}

function signInButton(page) {
  return page.locator(`form[action$="/signin/demo"]`).getByRole("button");
}
