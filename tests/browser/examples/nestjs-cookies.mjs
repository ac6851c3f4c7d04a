// Walks through examples/nestjs-cookies. `cargo xtask examples` starts it, and sets the variables of visits.mjs.
import assert from "node:assert/strict";

import { make, picture, ROOT, see } from "../visits.mjs";
import { call, cookieNames, noTokenInThePage, renewedTwice, signIn } from "./common.mjs";

await make("nestjs-cookies", [
  ["alice, who is an admin", alice],
  ["bob, who is none", bob],
]);

async function alice(page, check) {
  await check("a guarded page leads to the form, which says that a password is wrong", async () => {
    await page.goto(`${ROOT}/`);
    await page.getByRole("link", { name: "Orders" }).click();
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await signIn(page, "alice@example.com", "wrong");
    await page.waitForURL(`${ROOT}/auth/signin?**error=CredentialsSignin**`);
  });
  await check("a sign-in leads back, with user.id, the plan and isAdmin in the session", async () => {
    await signIn(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/orders`);
    await see(page, "#user", "Alice Example, id u1, plan pro, admin");
    await picture(page, "example-nestjs-cookies");
  });
  await check("NestJS reads its access token from its cookie, and gets no other", async () => {
    await see(page, "#orders", "order of u1");
    assert.deepEqual((await call(page, "/api/orders")).body.cookies, ["access_token"]);
  });
  await check("the browser has none of NestJS's cookies, and no script a token", async () => {
    assert.deepEqual(
      (await cookieNames(page)).filter((name) => !name.startsWith("authjs.")),
      [],
    );
    await noTokenInThePage(page);
  });
  await check("tokens are renewed, by one request of several at once", () =>
    renewedTwice(page, "/api/orders", ({ generation }) => generation));
  await check("NestJS's own refresh route is of no use to the browser", async () => {
    const status = await page.evaluate(async () => (await fetch("/api/auth/refresh", { method: "POST" })).status);
    assert.equal(status, 401);
  });
  await check("isAdmin opens the page for admins", async () => {
    await page.goto(`${ROOT}/admin`);
    await see(page, "h1", "Admin");
  });
  await check("NestJS's own logout ends the session", async () => {
    await page.goto(`${ROOT}/orders`);
    await see(page, "#orders", "order of u1");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(`${ROOT}/`);
    await page.getByRole("link", { name: "Orders" }).click();
    await page.waitForURL(`${ROOT}/auth/signin**`);
  });
}

async function bob(page, check) {
  await check("a user who is no admin gets 403 for the admins' page", async () => {
    await page.goto(`${ROOT}/orders`);
    await signIn(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/orders`);
    await see(page, "#user", "Bob Example, id u2, plan free");
    assert.equal((await page.goto(`${ROOT}/admin`)).status(), 403);
  });
}
