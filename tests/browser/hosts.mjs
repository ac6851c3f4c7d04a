// Tests a site with several hosts and one login (docs/subdomains.md) in a real browser, over https, because only a browser
// shows whether cookies of a domain are sent to the right hosts. One Worker serves `login`, `app` and `shop`
// (hosts/site.toml), with the application of react.mjs; another serves `docs` (hosts/docs.toml), with the demo's
// application. `cargo xtask test` starts both and runs this script.
//
// HOSTS_SITE, HOSTS_DOCS   the ports of the two Workers
// and the variables of visits.mjs
import assert from "node:assert/strict";

import { decode, encode } from "next-auth/jwt";

import { make, picture, see, signInAtProvider } from "./visits.mjs";

const { HOSTS_SITE, HOSTS_DOCS } = process.env;
assert.ok(HOSTS_SITE && HOSTS_DOCS, "run this by `cargo xtask test`");

const LOGIN = "https://login.example.test";
const APP = "https://app.example.test";
const SHOP = "https://shop.example.test";
const DOCS = "https://docs.example.test";
const EVERYWHERE = [LOGIN, APP, SHOP, DOCS];
/** A domain that leads to the same Worker, outside of the domain of the site's cookies. */
const ELSEWHERE = "https://elsewhere.test";

const SESSION = "__Secure-authjs.session-token";
const SECRET = "development-only, never deploy this secret";
const WANTED = `${APP}/private/list?tab=caf%C3%A9&x=1&y=%2F`;
const FROM = `${APP}/from?here=1#part`;

/** The address on the login host at which a sign-in begins that next-auth requested on another host. */
let begun;

const names = [
  `MAP docs.example.test:443 localhost:${HOSTS_DOCS}`,
  `MAP *.example.test:443 localhost:${HOSTS_SITE}`,
  `MAP elsewhere.test:443 localhost:${HOSTS_SITE}`,
];
await make(
  "several hosts",
  [
    ["bob, who opens a page on one host", bob],
    ["alice, whose page uses next-auth", alice],
    ["somebody who got alice's link", somebodyElse],
    ["carol, who has a password", carol],
    ["somebody on another domain", stranger],
  ],
  // wrangler's certificate is self-signed.
  [`--host-resolver-rules=${names.join(", ")}`, "--ignore-certificate-errors"],
);

async function bob(page, check) {
  await check("a script of the app learns from another host's denial where to sign in", async () => {
    await page.goto(`${APP}/from`);
    const denied = await read(page, `${SHOP}/private/data`);
    assert.equal(denied.status, 401);
    const signIn = new URL(denied.body.signInUrl);
    assert.deepEqual([signIn.origin, signIn.searchParams.get("callbackUrl")], [LOGIN, `${APP}/`]);
    assert.equal((await read(page, `${SHOP}/auth/session`)).body, null);
    for (const path of ["/private/data", "/auth/session", "/auth/csrf"]) {
      await unreadable(page, LOGIN, `${SHOP}${path}`); // LOGIN is not a trusted origin.
    }
  });
  await check("a protected page of the app redirects to the login host's sign-in page", async () => {
    await page.goto(WANTED);
    await page.waitForURL(`${LOGIN}/auth/signin?**`);
    assert.equal(new URL(page.url()).searchParams.get("callbackUrl"), WANTED);
    await signInButton(page).waitFor();
    await picture(page, "hosts-sign-in");
  });
  await check("a sign-in leads back to that page, with a session for the domain", async () => {
    await signInButton(page).click();
    await signInAtProvider(page, "bob@example.com", "bob");
    await page.waitForURL(WANTED);
    await authenticated(page, "Bob Example");
    await picture(page, "hosts-app");
    const { domain, secure, httpOnly, sameSite } = await sessionCookie(page);
    assert.deepEqual(
      { domain, secure, httpOnly, sameSite },
      { domain: ".example.test", secure: true, httpOnly: true, sameSite: "Lax" },
    );
    await nothingLeftOfTheWay(page);
  });
  await check("the user is signed in on every other host", async () => {
    await page.goto(`${SHOP}/private`);
    assert.equal(page.url(), `${SHOP}/private`);
    await authenticated(page, "Bob Example");
    for (const host of EVERYWHERE) assert.equal((await session(page, host)).user.email, "bob@example.com", host);
  });
  await check("a script of a trusted origin reads the session; one of a token origin also the token", async () => {
    const token = { "X-Vestibule-Token": "1" };
    await page.goto(`${APP}/from`);
    const { body } = await read(page, `${SHOP}/auth/session`, { "Content-Type": "application/json" });
    assert.deepEqual([body.user.email, body.access_token], ["bob@example.com", undefined]);
    assert.ok((await read(page, `${SHOP}/auth/csrf`)).body.csrfToken);
    await unreadable(page, APP, `${SHOP}/auth/token`, token);
    await page.goto(`${SHOP}/from`);
    const seen = await read(page, `${APP}/auth/session`);
    assert.ok(seen.body.access_token);
    assert.equal((await read(page, `${APP}/auth/token`, token)).body.access_token, seen.body.access_token);
    await unreadable(page, LOGIN, `${APP}/auth/session`);
  });
  await check("another Worker with the same secret accepts the session, and its API accepts the token", async () => {
    await page.goto(`${DOCS}/dashboard`);
    assert.equal(page.url(), `${DOCS}/dashboard`);
    await see(page, "#user", "bob@example.com");
    await see(page, "#token", ": 200");
    await picture(page, "hosts-docs");
  });
  await check("the login host refreshes an expired token without a visible page", async () => {
    const before = (await session(page, DOCS)).access_token;
    await endAccessToken(page);
    await inATab(page, `${DOCS}/auth/session`, async (tab, answer) => {
      assert.equal((await answer.json()).access_token, undefined);
      const api = await tab.evaluate(async () => {
        const answer = await fetch("/api/echo");
        return { status: answer.status, ...(await answer.json()) };
      });
      assert.deepEqual([api.status, api.error], [401, "token_expired"]);
    });
    const hops = await visited(page, () => page.goto(`${DOCS}/dashboard?tab=1&y=%2F`));
    assert.deepEqual(
      hops.map((url) => url.split("?")[0]),
      [`${DOCS}/dashboard`, `${LOGIN}/auth/renew`, `${DOCS}/dashboard`],
    );
    assert.equal(page.url(), `${DOCS}/dashboard?tab=1&y=%2F`);
    await see(page, "#user", "bob@example.com");
    await see(page, "#token", ": 200");
    const after = (await session(page, DOCS)).access_token;
    assert.ok(after && after !== before, "the token has not changed");
    for (const host of EVERYWHERE) assert.equal((await session(page, host)).access_token, after, host);
  });
  await check("a Worker with the provider refreshes the token itself", async () => {
    const before = (await session(page, APP)).access_token;
    await endAccessToken(page);
    const hops = await visited(page, () => page.goto(`${APP}/private`));
    assert.deepEqual(hops, [`${APP}/private`]);
    await authenticated(page, "Bob Example");
    const after = (await session(page, DOCS)).access_token;
    assert.ok(after && after !== before, "the token has not changed");
  });
  await check("a sign-out in the app applies to all hosts", async () => {
    await press(page, "signOut");
    await page.waitForURL(`${LOGIN}/auth/signin?**`); // The reloaded page is protected.
    assert.equal(await sessionCookie(page), undefined);
    for (const host of EVERYWHERE) assert.equal(await session(page, host), null, host);
    await page.goto(`${DOCS}/dashboard`);
    await page.waitForURL(`${LOGIN}/auth/signin?**`);
    assert.equal(new URL(page.url()).searchParams.get("callbackUrl"), `${DOCS}/dashboard`);
  });
}

async function alice(page, check) {
  await check("signIn(provider) leads through the login host to the provider and back to the page", async () => {
    await page.goto(FROM);
    await see(page, "#status", /^unauthenticated$/);
    const hops = await visited(page, async () => {
      await press(page, "signIn demo");
      await page.waitForURL("**/interaction/**");
    });
    begun = hops.find((url) => url.startsWith(`${LOGIN}/auth/signin/demo?`));
    assert.ok(begun, hops.join("\n"));
    await signInAtProvider(page, "alice@example.com", "alice");
    await page.waitForURL(FROM);
    await authenticated(page, "Alice Example");
    await nothingLeftOfTheWay(page);
  });
  await check("signOut() on another host ends the session of this one", async () => {
    await page.goto(`${SHOP}/`);
    await authenticated(page, "Alice Example");
    await press(page, "signOut");
    await see(page, "#status", /^unauthenticated$/);
    await page.goto(FROM);
    await see(page, "#status", /^unauthenticated$/);
  });
  await check("signIn() without a provider shows the login host's sign-in page and leads back", async () => {
    await press(page, "signIn");
    await page.waitForURL(`${LOGIN}/auth/signin?**`);
    await signInButton(page).click(); // Alice still has a session at the provider.
    await page.waitForURL(FROM);
    await authenticated(page, "Alice Example");
  });
}

async function somebodyElse(page, check) {
  await check("the address of a sign-in on the login host does not work in another browser", async () => {
    const hops = await visited(page, () => page.goto(begun));
    assert.equal(hops.length, 2, hops.join("\n"));
    assert.ok(page.url().startsWith(`${LOGIN}/auth/signin?`), page.url());
    await signInButton(page).waitFor();
    await picture(page, "hosts-link");
  });
}

async function carol(page, check) {
  await check("a sign-in with a password creates a session for all hosts", async () => {
    await page.goto(`${SHOP}/`);
    await page.getByLabel("Email").fill("carol@example.com");
    await page.getByLabel("Password").fill("carol");
    await press(page, "signIn credentials here");
    await page.locator("#result", { hasText: `"ok":true` }).waitFor();
    await page.goto(`${APP}/private`);
    await authenticated(page, "Carol Example");
  });
}

async function stranger(page, check) {
  await check("a domain outside of the cookies' domain rejects sign-in with a message", async () => {
    for (const path of ["/private", "/auth/signin", "/auth/session"]) {
      const answer = await page.goto(`${ELSEWHERE}${path}`);
      assert.deepEqual([answer.status(), page.url()], [403, `${ELSEWHERE}${path}`]);
      if (path === "/private") await picture(page, "hosts-elsewhere");
    }
    assert.deepEqual(await page.context().cookies(), []);
  });
}

/** The addresses of the pages that the browser requests during `act`, including redirects. */
async function visited(page, act) {
  const hops = [];
  const note = (request) => {
    if (request.isNavigationRequest() && request.frame() === page.mainFrame()) hops.push(request.url());
  };
  page.on("request", note);
  await act();
  page.off("request", note);
  return hops;
}

async function sessionCookie(page) {
  return (await page.context().cookies()).find(({ name }) => name === SESSION);
}

/** Asserts that only CSRF and return address cookies of single hosts are left besides the session. */
async function nothingLeftOfTheWay(page) {
  const cookies = (await page.context().cookies()).filter(({ domain }) => domain.endsWith("example.test"));
  const others = cookies.filter(({ name }) => name !== SESSION).map(({ name, domain }) => `${domain} ${name}`);
  const known =
    /^((login|app|shop)\.example\.test __(Host|Secure)-authjs\.(csrf-token|callback-url)|\.example\.test __Secure-authjs\.last-user)$/;
  assert.deepEqual(others.filter((cookie) => !known.test(cookie)), []);
}

/** Replaces the browser's session by one with an expired access token, encrypted by Auth.js itself. */
async function endAccessToken(page) {
  const cookie = await sessionCookie(page);
  const claims = await decode({ token: cookie.value, secret: SECRET, salt: SESSION });
  assert.ok(claims?.expires_at, "the session has no access token with an expiry time");
  const token = { ...claims, expires_at: Math.floor(Date.now() / 1000) - 1 };
  const value = await encode({ token, secret: SECRET, salt: SESSION });
  await page.context().addCookies([{ ...cookie, value }]);
}

/** The response of a host's session endpoint to this browser. */
async function session(page, host) {
  return inATab(page, `${host}/auth/session`, (_tab, answer) => answer.json());
}

/** What a script of the page can read of another origin's answer; the error's text where it can read nothing. */
async function read(page, url, headers = {}) {
  return page.evaluate(
    async ([url, headers]) => {
      try {
        const answer = await fetch(url, { credentials: "include", headers });
        return { status: answer.status, body: await answer.json() };
      } catch (error) {
        return error.message;
      }
    },
    [url, headers],
  );
}

/** A page of `host` cannot read this. In another tab: the browser complains about it in the console. */
async function unreadable(page, host, url, headers) {
  await inATab(page, `${host}/from`, async (tab) => {
    assert.equal(await read(tab, url, headers), "Failed to fetch", url);
  });
}

/** Runs in another tab, because only the browser can resolve the host names. */
async function inATab(page, url, look) {
  const tab = await page.context().newPage();
  const result = await look(tab, await tab.goto(url));
  await tab.close();
  await page.bringToFront();
  return result;
}

async function press(page, name) {
  await page.getByRole("button", { name, exact: true }).click();
}

async function authenticated(page, name) {
  await see(page, "#status", /^authenticated$/);
  await see(page, "#name", name);
}

function signInButton(page) {
  return page.locator('form[action$="/auth/signin/demo"]').getByRole("button");
}
