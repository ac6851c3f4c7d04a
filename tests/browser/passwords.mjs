// Chromium's own password manager, with the sign-in form of your own API: it fills in what it knows, and after a wrong
// password it fills in the password of the address that was typed. pages.mjs says where the pages come from.
//
// PAGES_FILE      the pages
// PAGES_CHROMIUM  the browser's executable
// PAGES_PROFILE   a directory for the browser's profile, which is emptied
import assert from "node:assert/strict";
import { createCipheriv, pbkdf2Sync } from "node:crypto";
import { once } from "node:events";
import { readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";

import { chromium } from "playwright-core";

const { PAGES_FILE: FILE, PAGES_CHROMIUM: executablePath, PAGES_PROFILE: PROFILE } = process.env;
assert.ok(FILE && executablePath && PROFILE, "run this by `cargo xtask browser pages`, or set its three variables");

const ADDRESS = "bob@example.com";
const PASSWORD = "correct horse";
const PAGES = JSON.parse(readFileSync(FILE, "utf8"));
// How long the password manager may take to fill in a form, in milliseconds.
const PATIENCE = 20_000;
// How long it gets where it must not fill in anything.
const QUIET = 3_000;

const server = createServer(serve).listen(0, "127.0.0.1");
await once(server, "listening");
const ORIGIN = `http://localhost:${server.address().port}`;

rmSync(PROFILE, { recursive: true, force: true });
// The first start makes the profile, with the database of the passwords.
await (await launch()).close();
remember(join(PROFILE, "Default", "Login Data"));

const browser = await launch();
await at("/sign-in-api", async (page) => {
  await filled(page, "password");
  assert.deepEqual(await values(page), { email: ADDRESS, password: PASSWORD, code: "" });
  assert.equal(await cursor(page), "email");
});
await at("/sign-in-typed", async (page) => {
  await filled(page, "password");
  assert.deepEqual(await values(page), { email: ADDRESS, password: PASSWORD, code: "" });
  assert.equal(await cursor(page), "password");
});
await at("/sign-in-typed?as=eve@example.com", async (page) => {
  await page.waitForTimeout(QUIET);
  assert.deepEqual(await values(page), { email: "eve@example.com", password: "", code: "" });
  await page.keyboard.type("typed where the cursor is");
  assert.equal((await values(page)).password, "typed where the cursor is");
});
await browser.close();
server.close();
console.log("passwords: 3 passed, 0 failed");

// The page whose name is the path. `as` changes the address that was typed.
function serve(request, response) {
  const { pathname, searchParams } = new URL(request.url, ORIGIN);
  const shown = PAGES.find(({ name }) => `/${name}` === pathname);
  if (!shown) return response.writeHead(404).end();
  const here = (text) => text.replaceAll("https://app.example.com", ORIGIN);
  const body = here(shown.body).replace(ADDRESS, searchParams.get("as") ?? ADDRESS);
  response.writeHead(shown.status, shown.headers.map(([name, value]) => [name, here(value)])).end(body);
}

async function launch() {
  const context = await chromium.launchPersistentContext(PROFILE, {
    executablePath,
    headless: true,
    // The old headless mode has no password manager.
    ignoreDefaultArgs: ["--headless", "--enable-automation"],
    args: ["--headless=new", "--no-sandbox", "--disable-gpu", "--password-store=basic"],
  });
  const page = await context.newPage();
  await page.goto(`${ORIGIN}/sign-in-api`);
  await page.waitForTimeout(QUIET);
  await page.close();
  return context;
}

// Writes a password into the database, as Chromium on Linux does without a keyring.
function remember(path) {
  const key = pbkdf2Sync("peanuts", "saltysalt", 1, 16, "sha1");
  const cipher = createCipheriv("aes-128-cbc", key, Buffer.alloc(16, " "));
  const sealed = Buffer.concat([Buffer.from("v10"), cipher.update(PASSWORD), cipher.final()]);
  const known = {
    origin_url: `${ORIGIN}/`,
    signon_realm: `${ORIGIN}/`,
    username_element: "email",
    username_value: ADDRESS,
    password_element: "password",
    password_value: sealed,
    // Microseconds since 1601.
    date_created: (BigInt(Date.now()) + 11_644_473_600_000n) * 1000n,
    times_used: 1,
  };
  const database = new DatabaseSync(path);
  const columns = database.prepare("PRAGMA table_info(logins)").all().filter(({ name }) => name !== "id");
  const empty = ({ type }) => (/BLOB/i.test(type) ? Buffer.alloc(0) : /INT/i.test(type) ? 0 : "");
  const row = columns.map((column) => known[column.name] ?? empty(column));
  const names = columns.map(({ name }) => name).join(", ");
  database.prepare(`INSERT INTO logins (${names}) VALUES (${columns.map(() => "?").join(", ")})`).run(...row);
  database.close();
}

async function at(path, act) {
  const page = await browser.newPage();
  await page.goto(`${ORIGIN}${path}`);
  await act(page);
  await page.close();
}

async function filled(page, name) {
  await page.waitForFunction((name) => document.getElementsByName(name)[0].matches(":autofill"), name, { timeout: PATIENCE });
}

function cursor(page) {
  return page.evaluate(() => document.activeElement.name);
}

// Chromium shows a filled-in password to the page only after the person has touched it.
async function values(page) {
  const focus = await cursor(page);
  await page.mouse.click(2, 2);
  await page.waitForTimeout(200);
  await page.evaluate((name) => document.getElementsByName(name)[0]?.focus(), focus);
  return page.evaluate(() =>
    Object.fromEntries([...document.querySelectorAll("input:not([type=hidden])")].map(({ name, value }) => [name, value])),
  );
}
