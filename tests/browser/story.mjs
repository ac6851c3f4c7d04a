// One story on every runtime, in real browsers, with npm's oidc-provider (demo/provider.mjs), which accepts a refresh token
// once and ends the sign-in when it comes again: the guard, a sign-in, refreshes by requests at the same moment, and
// revocations. `cargo xtask browser story` starts the site (story.toml) and runs this script with the variables of visits.mjs
// and with
//
// STORY_RUNTIME    the runtime's name, for the pictures
// STORY_PROVIDER   the provider's origin
// STORY_REVOKES    whether the runtime has a store for revocations. Without one a sign-out removes the cookie, and a copy of
//                  it is valid until it expires; then this is what the script looks for
import assert from "node:assert/strict";

import { make, picture, ROOT, see, signInAtProvider } from "./visits.mjs";

const { STORY_RUNTIME: RUNTIME, STORY_PROVIDER: PROVIDER, STORY_REVOKES } = process.env;
assert.ok(RUNTIME && PROVIDER && STORY_REVOKES, "run this by `cargo xtask browser story`");
const REVOKES = STORY_REVOKES === "true";

/** How many requests of a page come at the same moment. */
const TOGETHER = 12;

/** How often the tokens end while the browser is signed in. */
const ROUNDS = 2;

/** How long a revocation, or the end of a token, may take to be seen. */
const PATIENCE = 20_000;

// The demo's pages forbid scripts, also those of this file.
await make(`story on ${RUNTIME}`, [["alice, who has a laptop and a phone", alice, { bypassCSP: true }]]);

async function alice(laptop, check, tab, another) {
  const phone = await another();
  await check("a guarded page leads to the sign-in page, and a guarded request of a script gets 401", async () => {
    await laptop.goto(`${ROOT}/dashboard?tab=1`);
    await signInButton(laptop).waitFor();
    assert.ok(laptop.url().startsWith(`${ROOT}/auth/signin?`), laptop.url());
    assert.equal((await laptop.request.get(`${ROOT}/api/echo`)).status(), 401);
    await picture(laptop, `story-${RUNTIME}-guarded`);
  });
  await check("the provider leads back to the page, whose server gets the person and a token that the API accepts", async () => {
    await signInButton(laptop).click();
    await signInAtProvider(laptop, "alice@example.com", "alice");
    await laptop.waitForURL(`${ROOT}/dashboard?tab=1`);
    await see(laptop, "#user", "alice@example.com");
    await see(laptop, "#token", ": 200");
    await picture(laptop, `story-${RUNTIME}-signed-in`);
  });
  await check("her role opens the admin page, which bob's does not", async () => {
    assert.equal((await laptop.goto(`${ROOT}/admin`)).status(), 200);
    await signIn(phone, "bob");
    assert.equal((await phone.goto(`${ROOT}/admin`)).status(), 403);
    await phone.context().clearCookies();
  });
  const second = await tab();
  await second.goto(`${ROOT}/dashboard`);
  for (let round = 1; round <= ROUNDS; round++) {
    await check(`${TOGETHER} requests of two tabs after the end of the token, ${round}: one refresh, and all get the new token`, async () => {
      const old = await session(laptop);
      await ended(old.expires_at);
      const before = await stats();
      const answers = (await Promise.all([together(laptop), together(second)])).flat();
      assert.deepEqual(answers.map(({ status }) => status), Array(TOGETHER).fill(200));
      const tokens = new Set(answers.map(({ token }) => token));
      assert.ok(tokens.size === 1 && ![...tokens][0].includes(old.access_token), "they carried different tokens, or the old one");
      const { refresh_token, refused } = await stats();
      assert.deepEqual([refresh_token - before.refresh_token, refused - before.refused], [1, 0], "refreshes and refusals");
      await laptop.goto(`${ROOT}/dashboard`);
      await see(laptop, "#token", ": 200");
    });
  }
  await check("a second sign-in, on a phone", () => signIn(phone, "alice"));
  const copy = await another();
  await copy.context().addCookies(await laptop.context().cookies(ROOT));
  await check("a copy of the laptop's cookie works until the laptop signs out", async () => {
    await copy.goto(`${ROOT}/dashboard`);
    await see(copy, "#user", "alice@example.com");
    await laptop.goto(`${ROOT}/auth/signout`);
    await laptop.locator("form").getByRole("button", { name: "Sign out", exact: true }).click();
    await laptop.waitForURL((url) => url.origin === ROOT && url.pathname !== "/auth/signout");
    assert.equal(await session(laptop), null);
    if (REVOKES) return signedOut(copy);
    await copy.goto(`${ROOT}/dashboard`);
    await see(copy, "#user", "alice@example.com");
  });
  await check("the phone is still signed in", async () => {
    await phone.goto(`${ROOT}/dashboard`);
    await see(phone, "#user", "alice@example.com");
  });
  if (!REVOKES) return;
  await check("a sign-out at the provider ends the phone's session by its logout token", async () => {
    await phone.goto(`${PROVIDER}/session/end`);
    await phone.getByRole("button", { name: "Sign out" }).click();
    await see(phone, "p", "You are signed out of the demo provider.");
    await signedOut(phone);
    await picture(phone, `story-${RUNTIME}-ended`);
  });
  await check("who signs in after that stays signed in", async () => {
    await signIn(phone, "alice");
    await phone.reload();
    await see(phone, "#user", "alice@example.com");
  });
}

/** Requests of one page at the same moment: their statuses, and the tokens that the server behind got. */
function together(page) {
  return page.evaluate(async (count) => {
    const one = async () => {
      const reply = await fetch("/api/echo");
      return { status: reply.status, token: reply.ok ? (await reply.json()).headers.authorization : "" };
    };
    return Promise.all(Array.from({ length: count }, one));
  }, TOGETHER / 2);
}

/** Waits until the token has ended, by the clock that all programs of the story share. */
async function ended(seconds) {
  const wait = seconds * 1000 - Date.now();
  assert.ok(wait < PATIENCE, `the token lives for ${wait} ms more`);
  await new Promise((resolve) => setTimeout(resolve, Math.max(wait, 0)));
}

async function stats() {
  return (await fetch(`${PROVIDER}/__stats`)).json();
}

async function signIn(page, name) {
  await page.goto(`${ROOT}/dashboard`);
  await signInButton(page).click();
  await page.waitForURL((url) => url.pathname === "/dashboard" || url.pathname.startsWith("/interaction/"));
  if (!page.url().startsWith(ROOT)) await signInAtProvider(page, `${name}@example.com`, name);
  await page.waitForURL(`${ROOT}/dashboard`);
  await see(page, "#user", `${name}@example.com`);
}

/**
 * Opens a guarded page until it asks to sign in, a script gets 401, and there is no session. Where several instances answer, one
 * may know of the end before another does.
 */
async function signedOut(page) {
  const begun = Date.now();
  let still;
  do {
    assert.ok(Date.now() - begun < PATIENCE, `not signed out: ${still}`);
    await page.goto(`${ROOT}/dashboard`);
    const answered = (await page.request.get(`${ROOT}/api/echo`)).status();
    if (page.url() === `${ROOT}/dashboard`) still = "it shows the dashboard";
    else if (answered !== 401) still = `a script gets ${answered}`;
    else still = (await session(page)) && "there is a session";
  } while (still);
  console.log(`  (reached it after ${((Date.now() - begun) / 1000).toFixed(1)} s)`);
  await signInButton(page).waitFor();
}

async function session(page) {
  return (await page.request.get(`${ROOT}/auth/session`)).json();
}

function signInButton(page) {
  return page.locator('form[action*="/auth/signin/demo"]').getByRole("button");
}
