// Walks through examples/okta-nextjs. `cargo xtask examples` starts it, and sets the variables of visits.mjs.
import assert from "node:assert/strict";

import { make, picture, ROOT, see, signInAtProvider } from "../visits.mjs";
import { call, signedOut } from "./common.mjs";

await make("okta-nextjs", [
  ["alice, who is an admin", alice],
  ["bob, who is none", bob],
]);

async function signIn(page, name) {
  await page.waitForURL(`${ROOT}/auth/signin**`);
  await page.locator('form[action*="/auth/signin/okta"]').getByRole("button").click();
  await signInAtProvider(page, `${name}@example.com`, name);
}

async function alice(page, check) {
  await check("the home page is public, and knows nobody", async () => {
    await page.goto(`${ROOT}/`);
    await see(page, "#server", "does not know who you are");
  });
  await check('signIn("okta") of next-auth signs in, and leads back', async () => {
    await page.locator("#account").getByRole("button", { name: "Sign in" }).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/`);
    await see(page, "#server", "The server knows you as Alice Example.");
  });
  await check("useSession() has user.id, the groups and isAdmin; auth() has the same on the server", async () => {
    await see(page, "#account", "Alice Example, id user-1, board, admin");
    await page.getByRole("link", { name: "Account" }).click();
    await see(page, "#server", "user-1 alice@example.com board true");
    await picture(page, "example-okta-nextjs");
  });
  await check("the API accepts the token that Vestibule adds", async () => {
    await page.getByRole("button", { name: "Orders", exact: true }).click();
    await see(page, "#orders", '{"orders":["order of user-1"],"audience":"api://default"}');
  });
  await check("the API accepts the token of useSession()", async () => {
    assert.equal((await call(page, "/public-api/orders")).status, 401);
    await page.reload();
    await see(page, "#account", "Alice Example");
    await page.getByRole("button", { name: "Orders with useSession()" }).click();
    await see(page, "#orders", '{"orders":["order of user-1"],"audience":"api://default"}');
  });
  await check("/auth/token gives a token that is valid, after the one of the sign-in has expired", async () => {
    const before = (await call(page, "/auth/token", { "X-Vestibule-Token": "1" })).body.access_token;
    await page.waitForTimeout(11_000); // longer than a token is valid
    const after = (await call(page, "/auth/token", { "X-Vestibule-Token": "1" })).body.access_token;
    assert.notEqual(after, before);
    const answer = await call(page, "/public-api/orders", { Authorization: `Bearer ${after}` });
    assert.deepEqual([answer.status, (await call(page, "/api/orders")).status], [200, 200]);
  });
  await check("isAdmin opens the page for admins", async () => {
    await page.goto(`${ROOT}/admin`);
    await see(page, "h1", "Admin");
  });
  await check("signOut() ends the session", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${ROOT}/`);
    await see(page, "#server", "does not know who you are");
    await signedOut(page, `${ROOT}/api/orders`);
  });
}

async function bob(page, check) {
  await check("a guarded page leads to the sign-in page and back; the admins' page is denied", async () => {
    await page.goto(`${ROOT}/account`);
    await signIn(page, "bob");
    await page.waitForURL(`${ROOT}/account`);
    await see(page, "#server", "user-2 bob@example.com sales false");
    assert.equal((await page.goto(`${ROOT}/admin`)).status(), 403);
  });
}
