// Walks through examples/django-subdomains. `cargo xtask examples` starts it, and sets the variables of visits.mjs.
import assert from "node:assert/strict";

import { make, picture, ROOT, see } from "../visits.mjs";
import { call, renewedTwice, signIn } from "./common.mjs";

const { port } = new URL(ROOT);
const AUTH = `http://auth.example.localhost:${port}`;
const DESK = `http://app.example.localhost:${port}`;
const ADMIN = `http://admin.example.localhost:${port}`;

await make("django-subdomains", [
  ["alice, who is staff", alice],
  ["bob, who is not", bob],
]);

async function alice(page, check) {
  await check("a guarded page of the app leads to the form on the login host, and back", async () => {
    await page.goto(`${DESK}/orders?page=2`);
    await page.waitForURL(`${AUTH}/auth/signin**`);
    await picture(page, "example-django-sign-in");
    await signIn(page, "alice", "alice", "User name");
    await page.waitForURL(`${DESK}/orders?page=2`);
  });
  await check("the session has user.id, the roles and isAdmin of the token's payload", async () => {
    await see(page, "#user", "Alice Example, id 1, user and staff, admin");
    await picture(page, "example-django-subdomains");
  });
  await check("Django knows the user of a page, and its API accepts the token", async () => {
    await see(page, "#server", "alice@example.com user,staff");
    await see(page, "#orders", "order of alice");
  });
  await check("tokens are renewed, by one request of several at once", () =>
    renewedTwice(page, "/api/orders/", ({ token }) => token));
  await check("the admins' host knows her without another sign-in", async () => {
    await page.goto(`${ADMIN}/orders`);
    assert.equal(page.url(), `${ADMIN}/orders`);
    await see(page, "#orders", "order of alice");
  });
  await check("a sign-out on one host is one on all", async () => {
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.locator("form").getByRole("button", { name: "Sign out" }).first().click();
    await page.waitForURL(`${AUTH}/auth/signin**`); // where the admins' host sends people who are not signed in
    await page.goto(`${DESK}/`);
    assert.equal((await call(page, "/api/orders/")).status, 401);
  });
}

async function bob(page, check) {
  await check("a user without the role signs in, and gets 403 on the admins' host", async () => {
    await page.goto(`${DESK}/orders`);
    await signIn(page, "bob", "bob", "User name");
    await page.waitForURL(`${DESK}/orders`);
    await see(page, "#user", "Bob Example, id 2, user");
    for (const path of ["/", "/orders", "/api/orders/"]) {
      assert.equal((await page.goto(`${ADMIN}${path}`)).status(), 403, path);
    }
  });
}
