// Tests the applications in tests/migrating/ behind Vestibule in a real browser, before and after the steps of
// docs/migrating.md. `cargo xtask migrate` starts both, and runs this script with the variables of visits.mjs and with
//
// MIGRATE_CLIENT   the package: next-auth, or next-auth-v4
// MIGRATE_STAGE    "before": the Worker is in front of the application as it was; "moved": all steps are done
import assert from "node:assert/strict";

import { APP, make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

const { MIGRATE_CLIENT: CLIENT, MIGRATE_STAGE: STAGE } = process.env;
const V4 = CLIENT === "next-auth-v4";

const visits = {
  before: [
    ["alice, whom next-auth signed in", alice],
    ["bob, whom Vestibule signs in for the application as it was", bobBefore],
  ],
  moved: [
    ["nobody", nobody],
    ["bob, who is no admin", bob],
    ["carol, who comes by a link to a guarded page", carol],
    ["alice, who is an admin", admin],
  ],
};
await make(`${CLIENT}, ${STAGE}`, visits[STAGE]);

async function alice(page, check) {
  await check("next-auth signs in by itself, without Vestibule", async () => {
    await page.goto(`${APP}/`);
    await signInButton(page).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${APP}/account`);
    await knows(page, "#server", { name: "Alice Example", roles: ["admin", "user"], hasToken: true });
  });
  await check("behind the Worker the same session is open, for the server and for scripts", async () => {
    await page.goto(`${ROOT}/account`);
    await knows(page, "#server", { name: "Alice Example", roles: ["admin", "user"], hasToken: true });
    await knows(page, "#client", { name: "Alice Example", hasId: true, roles: ["admin", "user"] });
    await picture(page, `migrate-${CLIENT}`);
  });
  await check("the application's own middleware still decides", async () => {
    await page.goto(`${ROOT}/admin`);
    await see(page, "h1", "Admin");
  });
  await check("without the Worker the session is open as before: the way back", async () => {
    await page.goto(`${APP}/account`);
    await see(page, "#server", "Alice Example");
  });
}

async function bobBefore(page, check) {
  await check("Vestibule's sign-in page is at the same address", async () => {
    await page.goto(`${ROOT}/api/auth/signin?callbackUrl=%2Faccount`);
    await oktaButton(page).click();
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/account`);
  });
  await check("the application's callbacks and middleware read the new session", async () => {
    await knows(page, "#server", { name: "Bob Example", roles: ["user"] });
    await knows(page, "#client", { name: "Bob Example", hasId: true, roles: ["user"], hasToken: true });
    const response = await page.goto(`${ROOT}/admin`);
    if (V4) assert.match(page.url(), /\/api\/auth\/signin/);
    else assert.equal(response.status(), 403);
  });
}

async function nobody(page, check) {
  await check("a page that the middleware guarded leads to the sign-in page", async () => {
    await page.goto(`${ROOT}/account`);
    await page.waitForURL(`${ROOT}/api/auth/signin**`);
    assert.equal((await page.request.get(`${ROOT}/api/token`)).status(), 401);
  });
}

async function bob(page, check) {
  await check(`signIn("okta") ${V4 ? "in a client component" : "in a server function"} signs in`, async () => {
    await page.goto(`${ROOT}/`);
    await see(page, "#server", "null");
    await signInButton(page).click();
    if (!V4) {
      await page.waitForURL(`${ROOT}/api/auth/signin**`);
      await oktaButton(page).click();
    }
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/account`);
  });
  await check("the session has the fields that it had, for the server and for scripts", async () => {
    const bob = { name: "Bob Example", hasId: true, roles: ["user"], hasToken: true };
    await knows(page, "#server", bob);
    await knows(page, "#client", bob);
    assert.deepEqual(await (await page.request.get(`${ROOT}/api/token`)).json(), { roles: ["user"] });
  });
  await check("the rule refuses what the middleware refused", async () => {
    const response = await page.goto(`${ROOT}/admin`);
    assert.equal(response.status(), 403);
  });
  await check(`signOut() ${V4 ? "in a client component" : "in a server function"} ends the session`, async () => {
    await page.goto(`${ROOT}/`);
    await page.getByRole("button", { name: "Sign out" }).click();
    if (!V4) {
      await page.waitForURL(`${ROOT}/api/auth/signout**`);
      await page.locator('form[action$="/signout"]').getByRole("button").first().click();
    }
    await page.waitForURL(`${ROOT}/`);
    await see(page, "#server", "null");
    assert.equal((await page.request.get(`${ROOT}/api/token`)).status(), 401);
  });
}

async function carol(page, check) {
  await check("a path to a guarded page leads back to it after the sign-in", async () => {
    await page.goto(`${ROOT}/account?tab=2`);
    await oktaButton(page).click();
    await signInAtProvider(page, "carol@example.com", "carol");
    await page.waitForURL(`${ROOT}/account?tab=2`);
    await knows(page, "#server", { name: "Carol Example", hasId: true, roles: ["user"], hasToken: true });
  });
}

async function admin(page, check) {
  await check("an admin passes the rule", async () => {
    await page.goto(`${ROOT}/admin`);
    await oktaButton(page).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/admin`);
    await see(page, "h1", "Admin");
  });
}

// What the page shows of the session, as far as `expected` names it.
async function knows(page, selector, expected) {
  await see(page, selector, expected.name);
  const shown = JSON.parse(await page.textContent(selector));
  assert.deepEqual(Object.fromEntries(Object.keys(expected).map((key) => [key, shown[key]])), expected, selector);
}

function signInButton(page) {
  return page.getByRole("button", { name: "Sign in" });
}

function oktaButton(page) {
  return page.locator('form[action$="/api/auth/signin/okta"]').getByRole("button");
}
