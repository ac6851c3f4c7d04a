// Sign-outs that reach another browser, in real browsers and with a real provider: everywhere, by its button; from the
// provider, by back-channel logout; and at the provider, which leads back. `cargo xtask browser logout` starts two Workers
// of one site (logout.toml), the demo's application, and npm's oidc-provider (demo/provider.mjs), and runs this script with
// the variables of visits.mjs and with
//
// LOGOUT_ELSEWHERE  the origin of the second Worker, which learns from the store alone what the first one did. Browsers send
//                   it the same cookies, because these do not depend on the port
// LOGOUT_PROVIDER   the provider's origin
import assert from "node:assert/strict";

import { make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

const { LOGOUT_ELSEWHERE: ELSEWHERE, LOGOUT_PROVIDER: PROVIDER } = process.env;
assert.ok(ELSEWHERE && PROVIDER, "run this by `cargo xtask browser logout`");

/** How long to wait until a sign-out has reached the other Worker. It relies on what it read for two seconds. */
const PATIENCE = 15_000;

await make("logout", [
  ["alice, who has a laptop and a phone", alice],
  ["bob, who signs out at the provider, too", bob],
]);

async function alice(laptop, check, _tab, another) {
  const [phone, stranger] = [await another(), await another()];
  await check("she is signed in on both, and somebody else in a third browser", async () => {
    await signIn(laptop, "alice");
    await signIn(phone, "alice");
    await signIn(stranger, "bob");
    await phone.goto(`${ELSEWHERE}/dashboard`);
    await see(phone, "#user", "alice@example.com");
    await picture(phone, "logout-phone-signed-in");
  });
  await check("the sign-out page offers to sign out everywhere", async () => {
    await laptop.goto(`${ROOT}/auth/signout`);
    await everywhere(laptop).waitFor();
    await picture(laptop, "logout-page");
  });
  await check("it ends the laptop's session before the browser leaves for the provider, which asks", async () => {
    await everywhere(laptop).click();
    await laptop.waitForURL(`${PROVIDER}/session/end?**`);
    await see(laptop, "p", "Sign out of the demo provider too?");
    await picture(laptop, "logout-provider-asks");
    assert.equal(await session(laptop, ROOT), null);
  });
  await check("it ends the phone's session at another Worker, whose page asks to sign in", async () => {
    await signedOut(phone, ELSEWHERE);
    await picture(phone, "logout-phone-everywhere");
  });
  await check("somebody else is still signed in, at both Workers", () => signedInAtBoth(stranger, "bob@example.com"));
  await check("who stays signed in at the provider comes back to the start page", async () => {
    await laptop.getByRole("button", { name: "Stay signed in" }).click();
    await laptop.waitForURL(`${ROOT}/`);
    await see(laptop, "#user", "No user");
  });
  await check("who signs in afterwards stays signed in", async () => {
    for (const page of [laptop, phone]) {
      await signInWithoutPassword(page);
      await signedInAtBoth(page, "alice@example.com");
    }
  });
  await check("a sign-out at the provider shows the provider's own page", async () => {
    await laptop.goto(`${PROVIDER}/session/end`);
    await laptop.getByRole("button", { name: "Sign out" }).click();
    await see(laptop, "p", "You are signed out of the demo provider.");
    await picture(laptop, "logout-provider-done");
  });
  await check("its logout token ends the phone's session: a script gets 401, and the page asks to sign in", async () => {
    await signedOut(phone, ELSEWHERE);
    await picture(phone, "logout-phone-backchannel");
  });
  await check("and the laptop's, where the provider wants the password again", async () => {
    await signedOut(laptop, ROOT);
    await signInButton(laptop).click();
    await laptop.waitForURL(`${PROVIDER}/interaction/**`);
    await laptop.getByLabel("Password").waitFor();
  });
  await check("somebody else is still signed in then", () => signedInAtBoth(stranger, "bob@example.com"));
  await check("who signs in after the logout token stays signed in", async () => {
    await signInWithoutPassword(phone);
    await signedInAtBoth(phone, "alice@example.com");
  });
}

async function bob(page, check) {
  const wanted = `${ROOT}/about?left=caf%C3%A9&x=1`;
  await check("a sign-out with a page to go to then leads to the provider, which asks", async () => {
    await signIn(page, "bob");
    await page.goto(`${ROOT}/auth/signout?callbackUrl=${encodeURIComponent(wanted)}`);
    await page.locator("form").getByRole("button", { name: "Sign out", exact: true }).click();
    await page.waitForURL(`${PROVIDER}/session/end?**`);
  });
  await check("the provider leads back, to exactly that page", async () => {
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.waitForURL(wanted);
    await see(page, "h1", "About");
    await see(page, "#user", "No user");
    await picture(page, "logout-back");
  });
  await check("the next sign-in begins with the provider's login form", async () => {
    await page.goto(`${ROOT}/dashboard`);
    await signInButton(page).click();
    await page.waitForURL(`${PROVIDER}/interaction/**`);
    await page.getByLabel("Password").waitFor();
  });
}

/** Signs in with the password, which is the name. */
async function signIn(page, name) {
  await page.goto(`${ROOT}/dashboard`);
  await signInButton(page).click();
  await signInAtProvider(page, `${name}@example.com`, name);
  await page.waitForURL(`${ROOT}/dashboard`);
  await see(page, "#user", `${name}@example.com`);
}

/** Signs in at a provider that knows the browser. */
async function signInWithoutPassword(page) {
  await page.goto(`${ROOT}/dashboard`);
  await signInButton(page).click();
  await page.waitForURL(`${ROOT}/dashboard`);
}

async function signedInAtBoth(page, email) {
  for (const origin of [ROOT, ELSEWHERE]) {
    await page.goto(`${origin}/dashboard`);
    assert.equal(page.url(), `${origin}/dashboard`);
    await see(page, "#user", email);
    assert.equal((await session(page, origin)).user.email, email);
  }
}

/** Opens a guarded page until it asks to sign in. Then a script of this site gets 401, and there is no session. */
async function signedOut(page, origin) {
  const begun = Date.now();
  do {
    await page.goto(`${origin}/dashboard`);
    assert.ok(Date.now() - begun < PATIENCE, `${origin} still shows the dashboard`);
  } while (page.url() === `${origin}/dashboard`);
  console.log(`  (reached it after ${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  assert.ok(page.url().startsWith(`${origin}/auth/signin?`), page.url());
  await signInButton(page).waitFor();
  assert.equal((await page.request.get(`${origin}/api/echo`)).status(), 401);
  assert.equal(await session(page, origin), null);
}

async function session(page, origin) {
  return (await page.request.get(`${origin}/auth/session`)).json();
}

function everywhere(page) {
  return page.locator("form").getByRole("button", { name: "Sign out everywhere" });
}

function signInButton(page) {
  return page.locator('form[action*="/auth/signin/demo"]').getByRole("button");
}
