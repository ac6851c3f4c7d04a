// Code that the scripts in this directory share: it starts a browser, runs the visits, and reports the results.
//
// WALK_URL          the Worker's origin
// WALK_CHROMIUM     the browser's executable
// WALK_SCREENSHOTS  the directory for screenshots
// WALK_APP_URL      the origin of the application behind the Worker
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";

import { chromium } from "playwright-core";

const { WALK_URL, WALK_CHROMIUM: executablePath, WALK_SCREENSHOTS: PICTURES } = process.env;
assert.ok(WALK_URL && executablePath && PICTURES, "run this by `cargo xtask test`, or set its three variables");
mkdirSync(PICTURES, { recursive: true });

const PATIENCE = 15_000;

export const DESKTOP = { width: 1280, height: 800 };

/** The Worker's origin. */
export const ROOT = WALK_URL;

/** The application's origin. */
export const APP = process.env.WALK_APP_URL;

/**
 * Runs `visits`, each `[name, async (page, check, tab, another) => …, Playwright's options]`, in a browser without cookies.
 * The checks of a visit depend on each other: after a failed check the rest is skipped. `tab()` opens another tab of the
 * same browser, and `another()` a page of another browser without cookies. A message in the browser's console fails the
 * check during which it appears. `flags` are additional flags of Chromium.
 */
export async function make(name, visits, flags = []) {
  const browser = await chromium.launch({
    executablePath,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...flags,
    ],
  });
  const tally = { passed: 0, failed: 0 };
  for (const [who, visit, options] of visits) {
    console.log(`${name}, ${who}:`);
    await one(browser, options, visit, tally, `failed-${name.replace(/\W+/g, "-")}`);
  }
  await browser.close();
  console.log(`${name}: ${tally.passed} passed, ${tally.failed} failed`);
  process.exitCode = tally.failed ? 1 : 0;
}

async function one(browser, options, visit, tally, failure) {
  const contexts = [];
  const complaints = [];
  const another = async () => {
    const context = await browser.newContext({ viewport: DESKTOP, ...options });
    context.setDefaultTimeout(PATIENCE);
    contexts.push(context);
    return open(context);
  };
  const tab = () => open(contexts[0]);
  const open = async (context) => {
    const page = await context.newPage();
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("console", (message) => {
      // The checks themselves look at the status of a page. Any other message is a mistake in the page or in Vestibule.
      const isStatus = message.text().startsWith("Failed to load resource");
      if (["error", "warning"].includes(message.type()) && !isStatus) complaints.push(message.text());
    });
    return page;
  };
  const check = async (what, run) => {
    await run().catch((error) => {
      throw Object.assign(error, { what });
    });
    assert.deepEqual(complaints, [], `the browser complains after: ${what}`);
    console.log(`  ok: ${what}`);
    tally.passed++;
  };
  const page = await another();
  try {
    await visit(page, check, tab, another);
  } catch (error) {
    const file = `${failure}-${++tally.failed}`;
    await picture(page, file).catch(() => {});
    const text = (await page.textContent("body").catch(() => "")).replace(/\s+/g, " ").slice(0, 800);
    console.log(`  FAILED: ${error.what ?? ""}\n    ${String(error.message).replaceAll("\n", "\n    ")}`);
    console.log(`    at ${page.url()}; picture: ${join(PICTURES, `${file}.png`)}`);
    console.log(`    the page says: ${text}`);
    if (complaints.length) console.log(`    the browser complains: ${complaints.join("\n    ")}`);
  }
  for (const context of contexts) await context.close();
}

/** Waits until an element shows this text. */
export async function see(page, selector, text) {
  await page.locator(selector, { hasText: text }).first().waitFor();
}

/** Takes a screenshot of the whole page, for human readers. */
export async function picture(page, name) {
  await page.screenshot({ path: join(PICTURES, `${name}.png`), fullPage: true });
}

/** Fills in the login form of the demo's provider. */
export async function signInAtProvider(page, email, password) {
  await page.waitForURL("**/interaction/**"); // The previous page may have such fields too.
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await picture(page, "provider");
  await page.getByRole("button", { name: "Sign in" }).click();
}
