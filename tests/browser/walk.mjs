// Walks through the demo like a user, in a real browser. `cargo xtask test` starts the demo and runs this script with the
// variables of visits.mjs.
import assert from "node:assert/strict";

import { DESKTOP, make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

const PHONE = { width: 390, height: 844 };

await make("browser", [
  ["bob, who is no admin", bobsVisit],
  ["alice, who is an admin, without scripts", alicesVisit, { javaScriptEnabled: false }],
  ["somebody who changes their mind", cancelledVisit],
]);

async function bobsVisit(page, check) {
  await check("the home page is public", async () => {
    const response = await page.goto(`${ROOT}/`);
    assert.equal(response.status(), 200);
    await see(page, "h1", "Home");
    await see(page, "#user", "No user");
    await picture(page, "home");
  });
  await check("the dashboard leads to the sign-in page, which fits every screen", async () => {
    await page.getByRole("link", { name: "Dashboard" }).click();
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await signInButton(page).waitFor();
    await pictures(page, "sign-in");
  });
  await check("a sign-in at the provider leads back to the dashboard", async () => {
    await signInButton(page).click();
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/dashboard`);
    await see(page, "h1", "Dashboard");
    await see(page, "#user", "bob@example.com");
    await see(page, "#user", "roles: user");
  });
  await check("the application receives a bearer token that its API accepts", async () => {
    await see(page, "#token", "A bearer token arrived");
    await see(page, "#token", ": 200");
    await see(page, "#token", `"email":"bob@example.com"`);
    await picture(page, "dashboard");
  });
  await check("the application does not receive the session cookie", async () => {
    const { headers } = await (await page.request.get(`${ROOT}/api/echo`)).json();
    assert.ok(!/authjs|next-auth/.test(headers.cookie ?? ""), `cookie: ${headers.cookie}`);
    assert.equal(headers["x-user-email"], "bob@example.com");
  });
  await check("the session endpoint shows the claims that wrangler.toml exposes", async () => {
    const session = await (await page.request.get(`${ROOT}/auth/session`)).json();
    assert.equal(session.user.email, "bob@example.com");
    assert.deepEqual(session.user.roles, ["user"]);
    assert.equal(typeof session.access_token, "string");
    assert.ok(Date.parse(session.expires) > 0, `expires: ${session.expires}`);
  });
  await check("the admin page is denied without a redirect to sign in", async () => {
    const response = await page.goto(`${ROOT}/admin`);
    assert.equal(response.status(), 403);
    assert.equal(page.url(), `${ROOT}/admin`);
    assert.ok(!(await page.textContent("body")).includes("Only people whose roles"), "the admin page is shown");
    await pictures(page, "forbidden");
  });
  await check("a sign-out asks for confirmation and ends the session", async () => {
    await page.goto(`${ROOT}/auth/signout`);
    await pictures(page, "sign-out");
    await confirmSignOut(page);
    await page.goto(`${ROOT}/`);
    await see(page, "#user", "No user");
    assert.equal(await (await page.request.get(`${ROOT}/auth/session`)).json(), null);
  });
  await check("the dashboard leads to the sign-in page again", async () => {
    await page.goto(`${ROOT}/dashboard`);
    await page.waitForURL(`${ROOT}/auth/signin**`);
    await signInButton(page).waitFor();
  });
}

async function alicesVisit(page, check) {
  await check("a sign-in leads back to the protected page with its query", async () => {
    await page.goto(`${ROOT}/admin?tab=users`);
    await signInButton(page).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/admin?tab=users`);
    await see(page, "h1", "Admin");
    await see(page, "#user", "alice@example.com");
    await see(page, "#user", "admin");
    await picture(page, "admin");
  });
  await check("a sign-out works without scripts too", async () => {
    await page.getByRole("link", { name: "Sign out" }).click();
    await page.waitForURL(`${ROOT}/auth/signout**`);
    await confirmSignOut(page);
    await page.goto(`${ROOT}/dashboard`);
    await signInButton(page).waitFor();
  });
}

async function cancelledVisit(page, check) {
  await check("a sign-in that is cancelled at the provider shows a message and creates no session", async () => {
    await page.goto(`${ROOT}/dashboard`);
    await signInButton(page).click();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.waitForURL((url) => url.origin === ROOT && url.searchParams.has("error"));
    await page.getByRole("alert").filter({ hasText: "cancelled" }).waitFor();
    await pictures(page, "cancelled");
    assert.equal(await (await page.request.get(`${ROOT}/auth/session`)).json(), null);
  });
}

function signInButton(page) {
  return page.locator('form[action*="/auth/signin/demo"]').getByRole("button");
}

// Waits for the response: an immediate navigation would cancel the request.
async function confirmSignOut(page) {
  await page.locator("form").getByRole("button").click();
  await page.waitForURL((url) => url.origin === ROOT && url.pathname !== "/auth/signout");
}

// Checks one of Vestibule's own pages on a desktop and a phone, light and dark: it must not be wider than the screen.
async function pictures(page, name) {
  for (const [device, size] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
    await page.setViewportSize(size);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      await picture(page, `${name}-${device}-${colorScheme}`);
    }
    const [content, screen] = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      return [scrollWidth, clientWidth];
    });
    assert.ok(content <= screen, `${name} is ${content} px wide on a ${device} of ${screen} px`);
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize(DESKTOP);
}
