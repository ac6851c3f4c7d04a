// Checks the accessibility and layout of Vestibule's own pages. crates/core/tests/flows/pages.rs writes the pages with their
// headers; `cargo xtask test` runs that test and then this script.
//
// PAGES_FILE         the pages
// PAGES_CHROMIUM     the browser's executable
// PAGES_SCREENSHOTS  the directory for screenshots
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

import { HtmlValidate } from "html-validate";
import { chromium } from "playwright-core";

const { PAGES_FILE: FILE, PAGES_CHROMIUM: executablePath, PAGES_SCREENSHOTS: PICTURES } = process.env;
assert.ok(FILE && executablePath && PICTURES, "run this by `cargo xtask test`, or set its three variables");
mkdirSync(PICTURES, { recursive: true });

const PAGES = JSON.parse(readFileSync(FILE, "utf8"));
const ORIGIN = "https://app.example.com";
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const SCREENS = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };
// The width in WCAG 2.2, criterion 1.4.10; it equals 1280 px at a zoom of 400 %.
const NARROW = 320;
// Enlarged text (WCAG 2.2, criterion 1.4.4).
const LARGE_TEXT = "200%";

// The logos of the pages with a theme: dark on light pages, and light on dark ones.
const LOGOS = {
  [`${ORIGIN}/logo.svg`]: logo("#111827"),
  "https://cdn.example.net/logo-dark.svg?v=2": logo("#f9fafb"),
};

const validator = new HtmlValidate({ extends: ["html-validate:recommended", "html-validate:a11y"] });

const browser = await chromium.launch({
  executablePath,
  headless: true,
  args: ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
// These pages have no link: on a host outside of the site there is no known destination.
const LEADS_NOWHERE = new Set(["foreign"]);
let passed = 0;
const failures = [];
for (const shown of PAGES) {
  const { name } = shown;
  await check(`${name}: valid HTML`, () => valid(shown));
  await visit(shown, async (page) => {
    // Playwright bypasses the page's content security policy, which allows no script.
    await page.evaluate(AXE);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      for (const [screen, size] of Object.entries(SCREENS)) {
        await page.setViewportSize(size);
        await picture(page, `${name}-${screen}-${colorScheme}`);
        await check(`${name}, ${screen}, ${colorScheme}: axe finds no problem`, () => accessible(page));
      }
    }
    for (const width of [NARROW, ...Object.values(SCREENS).map(({ width }) => width)]) {
      await page.setViewportSize({ width, height: 600 });
      await check(`${name}: fits ${width} px`, () => fits(page));
      await check(`${name}: text of ${LARGE_TEXT} fits ${width} px`, () => largeText(page));
    }
    await check(`${name}: nothing moves with prefers-reduced-motion`, () => still(page));
    await check(`${name}: every control is reachable by keyboard, in order, with a visible focus`, () => keyboard(page, LEADS_NOWHERE.has(name)));
    await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
    await picture(page, `${name}-forced-colors`);
  });
}
await browser.close();
for (const { what, error } of failures) console.log(`  FAILED: ${what}\n    ${String(error.message).replaceAll("\n", "\n    ")}`);
console.log(`pages: ${passed} passed, ${failures.length} failed`);
process.exitCode = failures.length ? 1 : 0;

async function valid({ body }) {
  const report = await validator.validateString(body);
  const found = report.results.flatMap(({ messages }) => messages);
  assert.deepEqual(found.map(({ ruleId, message, selector }) => `${ruleId}: ${message} (${selector})`), []);
}

// Opens the page with the Worker's status and headers, so that its own content security policy applies.
async function visit(shown, act) {
  const page = await browser.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) complaints.push(message.text());
  });
  const asked = [];
  await page.route("**/*", (route) => {
    const url = route.request().url();
    const picture = LOGOS[url];
    if (picture && shown.body.includes("<img")) return route.fulfill({ contentType: "image/svg+xml", body: picture });
    asked.push(url);
    return route.fulfill({ status: shown.status, headers: Object.fromEntries(shown.headers), body: shown.body });
  });
  await page.goto(`${ORIGIN}/page`);
  await check(`${shown.name}: the cursor is where the page puts it`, async () => {
    const [has, wanted] = await page.evaluate(() => [document.activeElement.outerHTML, document.querySelector("[autofocus]")?.outerHTML]);
    if (wanted) assert.equal(has, wanted);
  });
  await act(page);
  await check(`${shown.name}: the browser reports no problem and requests nothing else`, () => {
    assert.deepEqual(complaints, []);
    assert.deepEqual(asked.filter((url) => url !== `${ORIGIN}/favicon.ico`), [`${ORIGIN}/page`]);
  });
  await page.close();
}

function logo(color) {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="160" height="40"><circle cx="20" cy="20" r="16" fill="#7c3aed"/><text x="48" y="28" font-family="sans-serif" font-size="24" font-weight="700" fill="${color}">Acme</text></svg>`;
}

async function picture(page, name) {
  await page.screenshot({ path: join(PICTURES, `page-${name}.png`), fullPage: true });
}

async function fits(page) {
  const [content, screen] = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return [scrollWidth, clientWidth];
  });
  assert.ok(content <= screen, `${content} px wide on a screen of ${screen} px`);
  const cut = await page.evaluate(() =>
    // The text in a field scrolls.
    [...document.querySelectorAll("main *:not(svg, svg *, input)")]
      .filter((element) => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).display !== "inline")
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(cut, [], "these elements are wider than their container");
}

async function accessible(page) {
  const { violations, incomplete } = await page.evaluate(() =>
    globalThis.axe.run({ resultTypes: ["violations", "incomplete"] }),
  );
  const found = [...violations, ...incomplete].flatMap(({ id, nodes }) =>
    nodes.map(({ html, any, all, none }) => `${id}: ${html}: ${[...any, ...all, ...none].map(({ message }) => message)}`),
  );
  assert.deepEqual(found, []);
}

async function largeText(page) {
  await page.evaluate((size) => (document.documentElement.style.fontSize = size), LARGE_TEXT);
  await fits(page);
  await page.evaluate(() => (document.documentElement.style.fontSize = ""));
}

async function still(page) {
  const moving = await page.evaluate(() =>
    [...document.querySelectorAll("*")]
      .filter((element) => {
        const { animationName, transitionDuration } = getComputedStyle(element);
        return animationName !== "none" || transitionDuration !== "0s";
      })
      .map((element) => element.outerHTML),
  );
  assert.deepEqual(moving, []);
}

async function keyboard(page, leadsNowhere) {
  const wanted = await page.evaluate(() =>
    [...document.querySelectorAll("a[href], button, input:not([type=hidden])")].map((element) => element.outerHTML),
  );
  assert.equal(wanted.length === 0, leadsNowhere, "a page has controls, except those without a destination");
  // The page may put the cursor into a field. The walk begins at the top all the same.
  for (let back = 0; back < wanted.length && (await page.evaluate(() => document.activeElement !== document.body)); back++) {
    await page.keyboard.press("Shift+Tab");
  }
  const reached = [];
  for (const _ of wanted) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
      const { width, height } = document.activeElement.getBoundingClientRect();
      return { html: document.activeElement.outerHTML, outline: `${outlineStyle} ${outlineWidth}`, width, height };
    });
    assert.equal(focus.outline, "solid 3px", `${focus.html} shows no focus`);
    // The target size in WCAG 2.2, criterion 2.5.5.
    assert.ok(focus.width >= 44 && focus.height >= 44, `${focus.html} is ${focus.width} by ${focus.height} px`);
    reached.push(focus.html);
  }
  assert.deepEqual(reached, wanted);
}

async function check(what, run) {
  try {
    await run();
    passed++;
  } catch (error) {
    failures.push({ what, error });
  }
}
