// Walks through examples/auth0-spa. `cargo xtask examples` starts it, and sets the variables of visits.mjs.
import assert from "node:assert/strict";

import { APP, make, picture, ROOT, see, signInAtProvider } from "../visits.mjs";
import { call, noTokenInThePage, signedOut, signOut } from "./common.mjs";

await make("auth0-spa", [["alice, who has custom claims", alice]]);

async function alice(page, check) {
  await check("the home page is public", async () => {
    await page.goto(`${ROOT}/`);
    await see(page, "main", "Everybody sees this page.");
  });
  await check("a page whose API answers 401 leads to the provider and back to the same address", async () => {
    await page.getByRole("link", { name: "Orders" }).click();
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await page.locator('form[action*="/auth/signin/auth0"]').getByRole("button").click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/orders`);
    await see(page, "main", "order of user-1");
    await picture(page, "example-auth0-spa");
  });
  await check("the session has user.id, the roles of a claim under a URL, and isAdmin", () =>
    see(page, "#user", "Alice Example, id user-1, admin and user, isAdmin"));
  await check("the API gets a token for its audience, and no cookie of Vestibule's", async () => {
    const { body } = await call(page, "/api/orders");
    assert.equal(body.audience, "https://api.example.com");
    assert.doesNotMatch(body.cookie ?? "", /authjs/); // the provider on this machine has cookies for the same host
  });
  await check("no script of the page has a token", () => noTokenInThePage(page));
  await check("the API itself refuses a request without a token", async () => {
    assert.equal((await page.request.get(`${APP}/api/orders`)).status(), 401);
  });
  await check("tokens that expire are renewed", async () => {
    const before = (await call(page, "/api/orders")).body;
    await page.waitForTimeout(11_000); // longer than a token is valid
    const after = (await call(page, "/api/orders")).body;
    assert.notEqual(after.token, before.token);
    assert.equal(after.audience, before.audience);
  });
  await check("a sign-out ends the session here and at the provider", async () => {
    await signOut(page);
    await page.getByRole("button", { name: "Sign out" }).click(); // the provider asks
    await page.waitForURL(`${ROOT}/`);
    await signedOut(page, `${ROOT}/api/orders`);
  });
}
