// Tests the Next.js application in examples/nextjs behind Vestibule in a real browser. `cargo xtask test` builds and starts
// both, and runs this script with the variables of visits.mjs.
import assert from "node:assert/strict";

import { encode } from "next-auth/jwt";

import { APP, make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

await make("Next.js", [
  ["bob, who is no admin", bob],
  ["carol, whose session is larger than one cookie", carol],
  ["alice, who is an admin", alice],
  ["somebody on https", secure],
]);

async function bob(page, check) {
  await check("the home page is public, and shows no user from the server or the browser", async () => {
    await page.goto(`${ROOT}/`);
    await see(page, "h1", "Home");
    await see(page, "#server", "does not know who you are");
    await page.locator("#account").getByRole("button", { name: "Sign in" }).waitFor();
    await picture(page, "nextjs-home");
  });
  await check("a link to a protected page, which Next.js fetches by script, leads to the sign-in page", async () => {
    await page.getByRole("link", { name: "Account" }).click();
    await page.waitForURL(`${ROOT}/auth/signin**`);
  });
  await check("after a sign-in the server component shows the user from auth()", async () => {
    await signInButton(page).click();
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/account`);
    await see(page, "#server", "Bob Example");
    await see(page, "#server", "bob@example.com");
    await see(page, "#server", "user");
  });
  await check("the client component shows the user from useSession()", async () => {
    await see(page, "#account", "Bob Example (user)");
    await picture(page, "nextjs-account");
  });
  await check("getToken() in a route handler decrypts the session with the shared secret", async () => {
    assert.deepEqual(await token(page), {
      sub: "user-2",
      name: "Bob Example",
      email: "bob@example.com",
      roles: ["user"],
      groups: 1,
      has_access_token: true,
    });
  });
  await check("the user stays signed in when navigating by script", async () => {
    await page.getByRole("link", { name: "Home" }).click();
    await see(page, "#server", "The server knows you as Bob Example.");
    await see(page, "#account", "Bob Example");
  });
  await check("a page for admins is denied, by script and by address", async () => {
    await page.getByRole("link", { name: "Admin" }).click();
    await see(page, "h1", "No access");
    const response = await page.goto(`${ROOT}/admin`);
    assert.equal(response.status(), 403);
  });
  await check("signOut() ends the session for the browser and the server", async () => {
    await page.goto(`${ROOT}/account`);
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${ROOT}/`);
    await see(page, "#server", "does not know who you are");
    await page.locator("#account").getByRole("button", { name: "Sign in" }).waitFor();
    const response = await page.request.get(`${ROOT}/api/token`);
    assert.equal(response.status(), 401);
  });
}

async function carol(page, check) {
  await check("signing in sets a session in several cookies", async () => {
    await page.goto(`${ROOT}/`);
    await page.locator("#account").getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await signInButton(page).click();
    await signInAtProvider(page, "carol@example.com", "carol");
    await page.waitForURL(`${ROOT}/`);
    const names = (await page.context().cookies()).map((cookie) => cookie.name);
    const chunks = names.filter((name) => name.startsWith("authjs.session-token")).sort();
    assert.ok(chunks.length > 1, `cookies: ${names}`);
    assert.deepEqual(chunks, chunks.map((_, index) => `authjs.session-token.${index}`));
  });
  await check("auth(), useSession() and getToken() read the split session", async () => {
    await see(page, "#server", "The server knows you as Carol Example.");
    await page.getByRole("link", { name: "Account" }).click();
    await see(page, "#server", "carol@example.com");
    await see(page, "#account", "Carol Example (user)");
    const { sub, groups, has_access_token } = await token(page);
    assert.deepEqual({ sub, groups, has_access_token }, { sub: "user-3", groups: 200, has_access_token: true });
  });
  await check("a sign-out removes all of these cookies", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${ROOT}/`);
    await see(page, "#server", "does not know who you are");
    const names = (await page.context().cookies()).map((cookie) => cookie.name);
    assert.ok(!names.some((name) => name.includes("session-token")), `cookies: ${names}`);
  });
}

async function alice(page, check) {
  await check("a prerendered page is protected like any other, and a sign-in leads back to it", async () => {
    await page.goto(`${ROOT}/admin`);
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await signInButton(page).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/admin`);
    await see(page, "h1", "Admin");
    await see(page, "#account", "Alice Example (admin, user)");
  });
}

// Sends requests to the application like Vestibule on a deployed site, where the cookie has another name and therefore
// another key.
async function secure(_page, check) {
  const name = "__Secure-authjs.session-token";
  const claims = { sub: "user-1", name: "Alice Example", email: "alice@example.com", roles: ["admin"], groups: [] };
  const sealed = await encode({ token: claims, secret: "development-only, never deploy this secret", salt: name });
  const ask = (path, scheme) =>
    fetch(`${APP}${path}`, {
      headers: { cookie: `${name}=${sealed}`, "x-forwarded-proto": scheme, "x-forwarded-host": "app.example.com" },
    });
  await check("auth() and getToken() use the cookie of the scheme in Vestibule's headers", async () => {
    assert.match(await (await ask("/", "https")).text(), /The server knows you as/);
    assert.equal((await (await ask("/api/token", "https")).json()).sub, "user-1");
    assert.match(await (await ask("/", "http")).text(), /does not know who you are/);
  });
}

// The result that the button on the account page shows.
async function token(page) {
  await page.getByRole("button", { name: "What does getToken() read?" }).click();
  return JSON.parse(await page.textContent("#token"));
}

function signInButton(page) {
  return page.locator('form[action$="/auth/signin/demo"]').getByRole("button");
}
