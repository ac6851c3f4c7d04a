// Walks through the demo like a user, in a real browser. `cargo xtask test` starts the demo and runs this script with the
// variables of visits.mjs.
import assert from "node:assert/strict";

import { DESKTOP, make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

const PHONE = { width: 390, height: 844 };

await make("browser", [
  ["bob, who is no admin", bobsVisit],
  ["alice, who is an admin, without scripts", alicesVisit, { javaScriptEnabled: false }],
  ["somebody who changes their mind", cancelledVisit],
  ["bob, whose session ends while he fills in a form", lateVisit],
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

async function lateVisit(page, check) {
  const fields = [["title", `"><img src=x onerror="alert(1)">`], ["text", "two\nlines & a +"], ["submit", "x"], ["new_password", "hunter2"]];
  const dialogs = [];
  page.on("dialog", (dialog) => dialogs.push(dialog.message()) && dialog.dismiss());
  await check("the part of the address after # survives the sign-in", async () => {
    await page.goto(`${ROOT}/dashboard?a=1#details`);
    await signInButton(page).click();
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(`${ROOT}/dashboard?a=1#details`);
  });
  await check("a form that comes after the session's end is kept in the tab", async () => {
    await sendForm(page, fields);
    await see(page, "h1", "Your session has ended");
    assert.ok(await page.locator("#kept").isVisible());
    const kept = await page.evaluate(() => Object.values(sessionStorage));
    assert.ok(kept.length === 1 && !kept[0].includes("hunter2"), "the tab keeps it, and it is sealed");
    await pictures(page, "session-ended");
  });
  await check("after signing in it is shown, and not sent", async () => {
    await page.getByRole("link", { name: "Sign in" }).click();
    await signInButton(page).click();
    await page.waitForURL(`${ROOT}/auth/form`);
    await see(page, "h1", "Your form");
    await see(page, "dd", fields[0][1]);
    assert.equal(await page.getByText("hunter2").count(), 0);
    assert.deepEqual(await page.evaluate(() => Object.values(sessionStorage)), [], "the tab has forgotten it");
    await pictures(page, "form");
  });
  await check("a click sends it as it was", async () => {
    await page.getByRole("button", { name: "Send it now" }).click();
    await page.waitForURL(`${ROOT}/api/echo?draft=1`);
    const { method, url, body_length } = JSON.parse(await page.textContent("body"));
    const sent = new URLSearchParams(fields.map(([name, value]) => [name, value.replace("\n", "\r\n")]));
    assert.deepEqual([method, url, body_length], ["POST", "/api/echo?draft=1", String(sent).length]);
  });
  await check("after that there is no form, and no script of a field ran", async () => {
    await page.goto(`${ROOT}/auth/form`);
    await see(page, "p", "This tab keeps no form");
    assert.deepEqual(dialogs, []);
  });
  await check("another user does not see it", async () => {
    await page.goto(`${ROOT}/dashboard`);
    await sendForm(page, fields);
    const kept = await page.evaluate(() => sessionStorage.getItem("vestibule.form"));
    await page.context().clearCookies();
    await page.goto(`${ROOT}/dashboard`);
    await signInButton(page).click();
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(`${ROOT}/dashboard`);
    await page.evaluate((kept) => sessionStorage.setItem("vestibule.form", kept), kept);
    await page.goto(`${ROOT}/auth/form`);
    await see(page, "h1", "This form is not yours");
    assert.equal(await page.getByText("two").count(), 0);
  });
}

// Fills in a form of the application, whose session is over when it is sent.
async function sendForm(page, fields) {
  await page.evaluate((fields) => {
    const form = document.createElement("form");
    form.method = "post";
    form.action = "/api/echo?draft=1";
    for (const [name, value] of fields) {
      const field = document.createElement("textarea");
      field.name = name;
      field.value = value;
      form.append(field);
    }
    const button = document.createElement("button");
    button.textContent = "Save";
    form.append(button);
    document.body.append(form);
  }, fields);
  await page.context().clearCookies({ name: /session-token/ });
  await page.getByRole("button", { name: "Save" }).click();
  await page.waitForURL(`${ROOT}/api/echo?draft=1`);
}

function signInButton(page) {
  return page.locator('form[action*="/auth/signin/demo"]').getByRole("button");
}

// Waits for the response: an immediate navigation would cancel the request.
async function confirmSignOut(page) {
  await page.locator("form").getByRole("button", { name: "Sign out", exact: true }).click();
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
