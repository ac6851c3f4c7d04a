// `init` in empty folders and in folders with files, with options and with answers.
import assert from "node:assert/strict";
import { existsSync, lstatSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { run } from "../../../npm/cli/init.mjs";

const GIVEN = ["--yes", "--framework", "express", "--provider", "okta", "--issuer", "https://dev-1.okta.com/oauth2/default"];
const WRITTEN = ["vestibule.toml", "worker.js", "wrangler.toml", "wrangler.dev.toml", ".dev.vars"];

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), "vestibule-init-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** Runs `init` with these lines as answers. */
async function init(path, args, answers = "") {
  const out = { text: "", write(text) { this.text += text; } };
  const error = { text: "", write(text) { this.text += text; } };
  const code = await run([...args, "--dir", path], { stdin: Readable.from([answers]), stdout: out, stderr: error });
  return { code, out: out.text, error: error.text };
}

const read = (path, name) => readFileSync(join(path, name), "utf8");

test("an empty folder gets all files, and the report says what is left to do", async (t) => {
  const path = folder(t);
  const { code, out, error } = await init(path, [...GIVEN, "--host", "app.example.com", "--public", "/,/about"]);
  assert.equal(error, "");
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(path).sort(), [...WRITTEN, ".gitignore"].sort());
  for (const part of [
    "\n  https://app.example.com/auth/callback/okta\n",
    "\n  http://localhost:8787/auth/callback/okta\n",
    "AUTH_OKTA_ID, AUTH_OKTA_SECRET",
    "npx wrangler dev --config wrangler.dev.toml",
    "npx @vestibule-auth/edge check",
    "npx wrangler secret put AUTH_OKTA_SECRET",
    "npx wrangler deploy",
  ]) assert.ok(out.includes(part), `${part}\n${out}`);
  // An unscoped name belongs to somebody else.
  for (const text of [out, ...WRITTEN.map((name) => read(path, name))]) assert.doesNotMatch(text, /npx vestibule/);
  assert.ok(read(path, "vestibule.toml").includes('match = ["/", "/about"]'));
  assert.ok(read(path, "wrangler.toml").includes('routes = ["app.example.com/*"]'));
  assert.ok(!read(path, "wrangler.dev.toml").includes("routes"));
});

test("an app on this machine and no host need no second configuration", async (t) => {
  const path = folder(t);
  const { code, out } = await init(path, [...GIVEN, "--origin", "http://localhost:9401"]);
  assert.equal(code, 0);
  assert.ok(!existsSync(join(path, "wrangler.dev.toml")));
  assert.ok(out.includes("\n  npx wrangler dev\n"));
  assert.ok(read(path, "vestibule.toml").includes('to = "http://localhost:9401"'));
});

test("every secret is fresh, has 33 bytes, and only its owner can read it", async (t) => {
  const secrets = new Set();
  for (let i = 0; i < 3; i += 1) {
    const path = folder(t);
    await init(path, GIVEN);
    const secret = read(path, ".dev.vars").match(/^AUTH_SECRET="(.+)"$/m)[1];
    assert.equal(Buffer.from(secret, "base64").length, 33);
    secrets.add(secret);
    if (process.platform !== "win32") assert.equal(lstatSync(join(path, ".dev.vars")).mode & 0o777, 0o600);
    for (const name of [...WRITTEN, ".gitignore"].filter((name) => name !== ".dev.vars")) {
      assert.ok(!read(path, name).includes(secret), name);
    }
  }
  assert.equal(secrets.size, 3);
});

test("what exists is named, and nothing is written", async (t) => {
  for (const name of [...WRITTEN, "wrangler.json", "wrangler.jsonc"]) {
    const path = folder(t);
    writeFileSync(join(path, name), "mine");
    for (const args of [GIVEN, [...GIVEN, "--force"]]) {
      const { code, error } = await init(path, args);
      assert.equal(code, 2);
      assert.ok(error.includes(name), error);
      assert.deepEqual(readdirSync(path), [name]);
      assert.equal(read(path, name), "mine");
    }
  }
});

test("a link is not followed", { skip: process.platform === "win32" }, async (t) => {
  const path = folder(t);
  const elsewhere = join(folder(t), "target");
  symlinkSync(elsewhere, join(path, ".dev.vars"));
  for (const args of [GIVEN, [...GIVEN, "--force"]]) assert.equal((await init(path, args)).code, 2);
  assert.ok(!existsSync(elsewhere));
});

test("--force replaces what init wrote, and nothing that was changed since", async (t) => {
  const path = folder(t);
  await init(path, GIVEN);
  const before = read(path, ".dev.vars");
  assert.equal((await init(path, GIVEN)).code, 2);
  assert.equal(read(path, ".dev.vars"), before);
  assert.equal((await init(path, [...GIVEN, "--force", "--public", "/news"])).code, 0);
  assert.ok(read(path, "vestibule.toml").includes('match = "/news"'));
  writeFileSync(join(path, ".dev.vars"), read(path, ".dev.vars").replace('AUTH_OKTA_ID=""', 'AUTH_OKTA_ID="mine"'));
  const again = await init(path, [...GIVEN, "--force"]);
  assert.equal(again.code, 2);
  assert.match(again.error, /already \.dev\.vars: /);
  assert.ok(read(path, "vestibule.toml").includes('match = "/news"'));
  assert.ok(read(path, ".dev.vars").includes('AUTH_OKTA_ID="mine"'));
});

test(".gitignore keeps its lines and gets those that it lacks", async (t) => {
  const path = folder(t);
  writeFileSync(join(path, ".gitignore"), "/node_modules\n*.log");
  await init(path, GIVEN);
  assert.equal(read(path, ".gitignore"), "/node_modules\n*.log\n.dev.vars\n.wrangler/\nvestibule.config.js\n");
  await init(path, [...GIVEN, "--force"]);
  assert.equal(read(path, ".gitignore"), "/node_modules\n*.log\n.dev.vars\n.wrangler/\nvestibule.config.js\n");
});

test("four answers are enough, and an issuer where the provider needs one", async (t) => {
  const path = folder(t);
  const lines = ["django", "okta", "https://dev-1.okta.com/oauth2/default", "app.example.com", "/, /about", ""];
  const { code, out, error } = await init(path, [], lines.join("\n"));
  assert.equal(error, "");
  assert.equal(code, 0);
  assert.equal(out.match(/: (?=[A-Z]|$)/gm)?.length >= 4, true, out);
  assert.ok(read(path, "wrangler.dev.toml").includes('to = "http://localhost:8000"'));
  const google = folder(t);
  assert.equal((await init(google, [], "\ngoogle\n\n\n")).code, 0);
  assert.ok(read(google, "vestibule.toml").includes('match = "/"'));
});

test("questions that the options answer are not asked", async (t) => {
  const path = folder(t);
  const { code, out } = await init(path, ["--framework", "hono", "--provider", "google", "--public", "/"], "app.example.com\n");
  assert.equal(code, 0);
  assert.ok(out.startsWith("Your hosts"), out);
});

test("answers that are wrong are named, and nothing is written", async (t) => {
  for (const [args, answers, expected] of [
    [["--yes"], "", "Who signs people in"],
    [["--yes", "--provider", "okta"], "", "issuer"],
    [["--yes", "--provider", "acme"], "", "issuer"],
    [["--yes", "--provider", "Ok ta"], "", "no id of a provider"],
    [["--yes", "--provider", "https://api.example.com"], "", "--api"],
    [["--yes", "--api", "okta"], "", "--api"],
    [["--yes", "--api", "http://api.example.com/login"], "", "https"],
    [["--yes", "--api", "https://me:pass@api.example.com/"], "", "password"],
    [["--yes", "--api", "https://api.example.com", "--provider", "okta"], "", "exclude each other"],
    [[...GIVEN, "--issuer", "dev-1.okta.com"], "", "no URL"],
    [[...GIVEN, "--host", "https://app.example.com"], "", "no host name"],
    [[...GIVEN, "--host", 'app.example.com"'], "", "no host name"],
    [[...GIVEN, "--public", "about"], "", "begin with /"],
    [[...GIVEN, "--origin", "https://backend.example.net/api"], "", "without a path"],
    [[...GIVEN, "--origin", "service:My Worker"], "", "no name of a Worker"],
    [[...GIVEN, "--framework", "rails"], "", "neither a framework"],
    [[...GIVEN, "--framework", "origin"], "", "--framework is one of"],
    [[...GIVEN, "--name", "My Worker"], "", "--name"],
    [[...GIVEN, "--unknown"], "", "--unknown"],
    [[], "", "no answer to: Your app"],
    [[], "express\n", "no answer to: Who"],
    [[], "express\n\n", "needs an answer"],
  ]) {
    const path = folder(t);
    const { code, error } = await init(path, args, answers);
    assert.equal(code, 2, `${args} ${error}`);
    assert.ok(error.includes(expected), error);
    assert.equal(error.trimEnd().split("\n").length, 1, error);
    assert.deepEqual(readdirSync(path), []);
  }
});

test("a folder that cannot be written is said in one line", async (t) => {
  const path = folder(t);
  writeFileSync(join(path, "file"), "");
  const { code, error } = await init(join(path, "file", "below"), GIVEN);
  assert.equal(code, 1);
  assert.match(error, /ENOTDIR/);
});

test("the help names every option", async (t) => {
  const { code, out } = await init(folder(t), ["--help"]);
  assert.equal(code, 0);
  for (const option of ["framework", "origin", "provider", "issuer", "api", "host", "public", "name", "dir", "yes", "force"]) {
    assert.ok(out.includes(`--${option}`), option);
  }
});
