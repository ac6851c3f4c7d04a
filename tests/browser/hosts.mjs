// A site of several hosts with one login (docs/subdomains.md), in a real browser, over https: whether cookies of a domain
// go where they should, only a browser can tell. `login`, `app` and `shop` are one Worker's (hosts/site.toml), with the
// application of react.mjs behind it; `docs` is another's (hosts/docs.toml), with the demo's. `cargo xtask test` starts
// both and runs this.
//
// HOSTS_SITE, HOSTS_DOCS   the ports of the two Workers; and the variables of visits.mjs
import assert from "node:assert/strict";

import { decode, encode } from "next-auth/jwt";

import { make, picture, see, signInAtProvider } from "./visits.mjs";

const { HOSTS_SITE, HOSTS_DOCS } = process.env;
assert.ok(HOSTS_SITE && HOSTS_DOCS, "start this by `cargo xtask test`");

const LOGIN = "https://login.example.test";
const APP = "https://app.example.test";
const SHOP = "https://shop.example.test";
const DOCS = "https://docs.example.test";
const EVERYWHERE = [LOGIN, APP, SHOP, DOCS];
/** A domain that reaches the same Worker, and that no cookie of the site's reaches. */
const ELSEWHERE = "https://elsewhere.test";

const SESSION = "__Secure-authjs.session-token";
const SECRET = "development-only, never deploy this secret";
const WANTED = `${APP}/private/list?tab=caf%C3%A9&x=1&y=%2F`;
const FROM = `${APP}/from?here=1#part`;

/** Where a sign-in begins that next-auth asked for on another host. */
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
  // wrangler makes its certificate itself.
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
  await check("a page of the app asks to sign in, on the login host", async () => {
    await page.goto(WANTED);
    await page.waitForURL(`${LOGIN}/auth/signin?**`);
    assert.equal(new URL(page.url()).searchParams.get("callbackUrl"), WANTED);
    await signInButton(page).waitFor();
    await picture(page, "hosts-sign-in");
  });
  await check("signing in leads back to the very page, with a session of the domain", async () => {
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
  await check("every other host knows them, too", async () => {
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
  await check("another Worker with the same secret lets them in, and its API takes the token", async () => {
    await page.goto(`${DOCS}/dashboard`);
    assert.equal(page.url(), `${DOCS}/dashboard`);
    await see(page, "#user", "bob@example.com");
    await see(page, "#token", ": 200");
    await picture(page, "hosts-docs");
  });
  await check("a token that has ended is renewed by the login host, and nobody sees that", async () => {
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
    assert.ok(after && after !== before, "the token is the same");
    for (const host of EVERYWHERE) assert.equal((await session(page, host)).access_token, after, host);
  });
  await check("where the Worker knows the provider it renews by itself", async () => {
    const before = (await session(page, APP)).access_token;
    await endAccessToken(page);
    const hops = await visited(page, () => page.goto(`${APP}/private`));
    assert.deepEqual(hops, [`${APP}/private`]);
    await authenticated(page, "Bob Example");
    const after = (await session(page, DOCS)).access_token;
    assert.ok(after && after !== before, "the token is the same");
  });
  await check("signing out of the app is signing out of all of them", async () => {
    await press(page, "signOut");
    await page.waitForURL(`${LOGIN}/auth/signin?**`); // The page that is loaded again is guarded.
    assert.equal(await sessionCookie(page), undefined);
    for (const host of EVERYWHERE) assert.equal(await session(page, host), null, host);
    await page.goto(`${DOCS}/dashboard`);
    await page.waitForURL(`${LOGIN}/auth/signin?**`);
    assert.equal(new URL(page.url()).searchParams.get("callbackUrl"), `${DOCS}/dashboard`);
  });
}

async function alice(page, check) {
  await check("signIn(provider) leads over the login host to the provider, and back to its page", async () => {
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
  await check("signIn() without a provider shows the login host's page, and leads back", async () => {
    await press(page, "signIn");
    await page.waitForURL(`${LOGIN}/auth/signin?**`);
    await signInButton(page).click(); // The provider still knows Alice.
    await page.waitForURL(FROM);
    await authenticated(page, "Alice Example");
  });
}

async function somebodyElse(page, check) {
  await check("the address where a sign-in began begins none in another browser", async () => {
    const hops = await visited(page, () => page.goto(begun));
    assert.equal(hops.length, 2, hops.join("\n"));
    assert.ok(page.url().startsWith(`${LOGIN}/auth/signin?`), page.url());
    await signInButton(page).waitFor();
    await picture(page, "hosts-link");
  });
}

async function carol(page, check) {
  await check("a password is asked for where one is, and the session is everybody's", async () => {
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
  await check("a domain that no cookie reaches signs nobody in, and says so", async () => {
    for (const path of ["/private", "/auth/signin", "/auth/session"]) {
      const answer = await page.goto(`${ELSEWHERE}${path}`);
      assert.deepEqual([answer.status(), page.url()], [403, `${ELSEWHERE}${path}`]);
      if (path === "/private") await picture(page, "hosts-elsewhere");
    }
    assert.deepEqual(await page.context().cookies(), []);
  });
}

/** The addresses of the pages that the browser asks for while `act` is done, redirects and all. */
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

/** Beside the session there are csrf tokens and return addresses, each of one host: no ticket, no transaction. */
async function nothingLeftOfTheWay(page) {
  const cookies = (await page.context().cookies()).filter(({ domain }) => domain.endsWith("example.test"));
  const others = cookies.filter(({ name }) => name !== SESSION).map(({ name, domain }) => `${domain} ${name}`);
  const known = /^(login|app|shop)\.example\.test __(Host|Secure)-authjs\.(csrf-token|callback-url)$/;
  assert.deepEqual(others.filter((cookie) => !known.test(cookie)), []);
}

/** Seals the browser's session anew, as one whose access token has ended: by Auth.js itself. */
async function endAccessToken(page) {
  const cookie = await sessionCookie(page);
  const claims = await decode({ token: cookie.value, secret: SECRET, salt: SESSION });
  assert.ok(claims?.expires_at, "the session has no access token that ends");
  const token = { ...claims, expires_at: Math.floor(Date.now() / 1000) - 1 };
  const value = await encode({ token, secret: SECRET, salt: SESSION });
  await page.context().addCookies([{ ...cookie, value }]);
}

/** What a host's session endpoint tells this browser. */
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

/** In another tab: only the browser knows where the names lead. */
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
