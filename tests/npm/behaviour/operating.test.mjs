// Follows docs/operating.md: its command for "who was refused yesterday, and by which rule?", as it is, on lines that a flow
// test wrote (crates/core/tests/flows/audit.rs). jq is that of the package jq-wasm, which package-lock.json names with its hash.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const read = (path) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");
const page = read("docs/operating.md");
const lines = read("crates/core/tests/flows/audit/lines.ndjson");
const [, command] = page.match(/^### Who was refused yesterday, and by which rule\?\n.*?^```sh\n(.*?)^```/ms);
/** The day in the middle: the flow signs in and is refused on three. */
const days = [...new Set(lines.match(/"time":"[^T]+/g).map((time) => time.slice(8)))];

const folder = mkdtempSync(join(tmpdir(), "vestibule-operating-"));
after(() => rmSync(folder, { recursive: true }));
writeFileSync(
  join(folder, "jq"),
  `#!/bin/sh\nexec "${process.execPath}" "${fileURLToPath(new URL("../jq.mjs", import.meta.url))}" "$@"\n`,
  { mode: 0o755 },
);

/** What the command of the page prints about these lines. */
function answer(text) {
  writeFileSync(join(folder, "lines.json"), text);
  assert.ok(command.includes("--arg day 2026-11-28 "), command);
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH}` };
  const script = command.replace("2026-11-28", days[1]);
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], { cwd: folder, env, encoding: "utf8" });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout.trimEnd().split("\n").map((line) => line.split("\t"));
}

/** As `wrangler tail --format json` prints requests: an object each, over many lines, with all that a request logged. */
function tailed(lines) {
  const requests = lines.trimEnd().split("\n").map((line) => ({
    outcome: "ok",
    scriptName: "vestibule",
    diagnosticsChannelEvents: [],
    exceptions: [],
    logs: [
      { message: ["a text of another Worker", 7, null, { audit: "no line" }], level: "log", timestamp: 1 },
      { message: [line], level: JSON.parse(line).level, timestamp: 2 },
    ],
    eventTimestamp: 3,
    event: { request: { url: "https://app.example.com/", method: "GET", headers: {}, cf: {} }, response: { status: 403 } },
  }));
  // One that logged nothing, and one that is no request.
  const others = [{ outcome: "ok", scriptName: null, exceptions: [], logs: [], eventTimestamp: 4, event: { cron: "* * * * *" } }];
  return [...requests, ...others].map((request) => JSON.stringify(request, null, 2)).join("\n");
}

test("a stranger learns who was refused yesterday and by which rule, from the lines of a sink and from those of a tail", { skip: process.platform === "win32" }, () => {
  assert.equal(days.length, 3);
  for (const text of [lines, tailed(lines)]) {
    const refused = answer(text);
    assert.deepEqual(
      refused.map(([, , ...rest]) => rest),
      [
        ["AUTH.rules[1]", "app.example.com/admin/x", 'AUTH.rules[1] requires of the user: roles is "admin"'],
        ["AUTH.rules[2]", "app.example.com/reports/2026", 'AUTH.rules[2] requires of the user: sub is "alice-1"'],
      ],
    );
    for (const [time, who] of refused) {
      assert.ok(time.startsWith(days[1]));
      assert.match(who, /^[\w-]{22}$/);
    }
  }
});

test("the line of the audit log that the page shows has the fields of a real one", () => {
  const shown = JSON.parse(page.match(/^```json\n(\{"event":"access_refused".*)\n```$/m)[1]);
  const real = lines.trimEnd().split("\n").map((line) => JSON.parse(line)).find((line) => line.event === "access_refused");
  // The network of the test gives a request no id.
  const { request_id: _, ...fields } = shown;
  assert.deepEqual(Object.keys(real), Object.keys(fields));
});
