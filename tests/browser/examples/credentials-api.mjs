// Walks through examples/credentials-api. `cargo xtask examples` starts it, and sets the variables of visits.mjs.
import assert from "node:assert/strict";

import { make, picture, ROOT, see } from "../visits.mjs";
import { call, noTokenInThePage, renewedTwice, signedOut, signIn, signOut } from "./common.mjs";

await make("credentials-api", [
  ["alice, who is an admin", alice],
  ["bob, who is none", bob],
]);

async function alice(page, check) {
  await check("a wrong password is said on the form", async () => {
    await page.goto(`${ROOT}/orders`);
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await signIn(page, "alice@example.com", "wrong");
    await page.waitForURL(`${ROOT}/auth/signin?**error=CredentialsSignin**`);
  });
  await check("a sign-in, which the API accepts with its API key only, leads back", async () => {
    await signIn(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/orders`);
    await picture(page, "example-credentials-api");
  });
  await check("the session has user.id, the whole profile and isAdmin", async () => {
    await see(page, "#user", "Alice Example, id 7, plan pro, admin");
    const { profile } = (await call(page, "/auth/session")).body.user;
    assert.deepEqual(Object.keys(profile).sort(), ["email", "firstName", "id", "isAdmin", "lastName", "plan"]);
  });
  await check("the API gets the token and the address, and no cookie", async () => {
    const { body } = await call(page, "/api/orders");
    assert.deepEqual([body.orders, body.email, body.cookie], [["order of 7"], "alice@example.com", undefined]);
    await noTokenInThePage(page);
  });
  await check("tokens are renewed, by one request of several at once", () =>
    renewedTwice(page, "/api/orders", ({ generation }) => generation));
  await check("isAdmin opens the page for admins", async () => {
    await page.goto(`${ROOT}/admin`);
    await see(page, "h1", "Admin");
  });
  await check("a sign-out ends the session", async () => {
    await page.goto(`${ROOT}/orders`);
    await signOut(page);
    await page.waitForURL(`${ROOT}/auth/signin**`); // the page from which the sign-out came asks for a session
    await signedOut(page, `${ROOT}/api/orders`);
  });
}

async function bob(page, check) {
  await check("a user who is no admin gets 403 for the admins' page", async () => {
    await page.goto(`${ROOT}/admin`);
    await signIn(page, "bob@example.com", "bob");
    await see(page, "h1", "No access");
    assert.equal((await page.goto(`${ROOT}/admin`)).status(), 403);
  });
}
