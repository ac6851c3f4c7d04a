// What the walks through the examples share.
import assert from "node:assert/strict";

import { picture, ROOT } from "../visits.mjs";

/** How often the page is asked until its access token has been renewed, once a second. */
const MAX_ASKS = 60;

/** Fills in the form of Vestibule's own sign-in page. `label` is that of the account's name. */
export async function signIn(page, name, password, label = "Email") {
  await page.getByLabel(label).fill(name);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

/** A GET by a script of the page: its status, and its body read as JSON or text. */
export function call(page, path, headers = {}) {
  return page.evaluate(
    async ([path, headers]) => {
      const answer = await fetch(path, { headers });
      const text = await answer.text();
      try {
        return { status: answer.status, body: JSON.parse(text) };
      } catch {
        return { status: answer.status, body: text };
      }
    },
    [path, headers],
  );
}

/**
 * Calls `path` until `what` its body says has changed twice, because the token was renewed. Each time five requests are sent at once:
 * a refresh token that is used twice would end the session.
 */
export async function renewedTwice(page, path, what) {
  const seen = new Set();
  for (let asks = 0; asks < MAX_ASKS && seen.size < 3; asks++) {
    const answers = await page.evaluate(
      (path) => Promise.all(Array.from({ length: 5 }, () => fetch(path).then(async (it) => [it.status, await it.json()]))),
      path,
    );
    for (const [status, body] of answers) {
      assert.equal(status, 200, JSON.stringify(body));
      seen.add(what(body));
    }
    await page.waitForTimeout(1000);
  }
  assert.ok(seen.size >= 3, `always the same tokens: ${[...seen]}`);
}

/** The names of the browser's cookies. */
export async function cookieNames(page) {
  return (await page.context().cookies()).map((cookie) => cookie.name).sort();
}

/** No script of the page has a token: not in its storage, its cookies, or the session. */
export async function noTokenInThePage(page) {
  const session = await (await page.request.get(`${ROOT}/auth/session`)).text();
  const known = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  for (const text of [session, known]) assert.ok(!/eyJ|session-token/.test(text), text);
}

/** The API of the page's origin knows nobody any more. */
export async function signedOut(page, url) {
  assert.equal((await page.request.get(url)).status(), 401);
}

/** Signs out on Vestibule's own page. */
export async function signOut(page) {
  await page.getByRole("link", { name: "Sign out" }).click();
  await page.waitForURL("**/auth/signout**");
  await picture(page, "example-sign-out");
  await page.locator("form").getByRole("button", { name: "Sign out" }).first().click();
}
