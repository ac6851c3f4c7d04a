// Starts the commands of the npm package as a user does. `cargo xtask commands` builds them first.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const COMMAND = join(ROOT, "target/commands/bin/vestibule.mjs");
const MISTAKES = join(ROOT, "crates/check/tests/mistakes");

const folder = mkdtempSync(join(tmpdir(), "vestibule-commands-"));
after(() => rmSync(folder, { recursive: true }));

/** No secret of this machine is one of a test. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("AUTH_")));

/** Runs a command in a folder, with this as its input and these variables. */
function run(args, cwd = folder, { input = "", env = {} } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd, env: { ...ENVIRONMENT, ...env } });
    // A command that does not read its input may end before it was written.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    let [out, err] = ["", ""];
    child.stdout.on("data", (text) => (out += text));
    child.stderr.on("data", (text) => (err += text));
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

/** A new folder with these files. */
function project(files) {
  const path = mkdtempSync(join(folder, "project-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

const VESTIBULE = `base_path = "/auth"

[[providers]]
id = "okta"
issuer = "https://example.okta.com"

[[rules]]
match = "/"
access = "public"

[[rules]]
match = "/admin/:path*"
require = { roles = ["admin"] }

[claims]
roles = "profile.roles"
`;
const DEV_VARS = 'AUTH_SECRET="0123456789abcdefghijklmnopqrstuvwxyz"\nAUTH_OKTA_ID="shop"\nAUTH_OKTA_SECRET="of-the-client"\n';
const WRANGLER = 'name = "shop"\n\n[[kv_namespaces]]\nbinding = "AUTH_KV"\n';

test("every seeded mistake is named as natively", async () => {
  for (const name of readdirSync(MISTAKES)) {
    const files = {};
    for (const file of readdirSync(join(MISTAKES, name))) {
      files[file === "dev.vars" ? ".dev.vars" : file] = readFileSync(join(MISTAKES, name, file), "utf8");
    }
    const { code, out } = await run(["check"], project(files));
    assert.equal(out, files["expected.txt"], name);
    assert.equal(code, out.includes(": error: ") ? 1 : 0, name);
  }
});

test("check prints JSON for programs", async () => {
  const path = project({ "wrangler.toml": WRANGLER, "vestibule.toml": VESTIBULE.replace("base_path", "base_paht") });
  const { code, out } = await run(["check", "--json"], path);
  const { errors, findings } = JSON.parse(out);
  assert.equal(code, 1);
  assert.equal(errors, 1);
  const [{ severity, file, line, column, place }] = findings;
  assert.deepEqual([severity, file, line, column, place], ["error", "vestibule.toml", 1, 1, "AUTH.base_paht"]);
});

test("a folder without a configuration, a file that is none, and wrong options are messages", async () => {
  const path = project({ "large.toml": " ".repeat(1024 * 1024 + 1), "binary.toml": Buffer.from([0xff, 0xfe]) });
  mkdirSync(join(path, "empty"));
  for (const [args, message] of [
    [["check", "empty"], "empty has neither a wrangler.toml nor a vestibule.toml"],
    [["check", "nowhere.toml"], "cannot read nowhere.toml"],
    [["check", "large.toml"], "large.toml is larger than 1 MiB"],
    [["check", "binary.toml"], "binary.toml is not UTF-8"],
    [["check", "--secrets", "binary.toml", "x"], "cannot read x"],
    [["check", "--lvie"], "--lvie"],
    [["check", "--site", "https://a.example"], "--site is for --live"],
    [["check", "--runtime", "server"], '--runtime: there is no "server"; write workers, native, wasi'],
    [["check", "--store", "none"], "--store is for --runtime wasi"],
    [["explain", "--table", "--runtime", "wasi", "--store", "kv"], '--store: there is no "kv"'],
    [["explain", "--table", "--runtime", "native", "--env", "x"], "--env is for --runtime workers"],
    [["check", "--runtime", "native", "--live"], "--live is for --runtime workers"],
    [["explain", "GET"], "name a method and a URL"],
    [["explain", "--table", "GET"], "--table takes no request"],
    [["check", "--errors-only", "--json"], "exclude each other"],
    [["compile", "empty"], "empty has neither"],
    [["who", "--secret-stdin"], "the users are in a file"],
    [["who", "--secret", "of-the-session"], "--secret"],
    [["who", "nowhere.txt", "--dev-vars", "nowhere"], "cannot read nowhere"],
    [["who", "a.txt", "b.txt"], "name one file of users"],
    [["chekc"], 'there is no command "chekc"'],
    [["__proto__"], "there is no command"],
  ]) {
    const { code, err } = await run(args, path);
    assert.equal(code, 2, `${args}: ${err}`);
    assert.ok(err.includes(message), `${args}: ${err}`);
  }
});

test("every command has a help", async () => {
  for (const name of ["check", "explain", "compile", "init", "verify", "who"]) {
    const { code, out } = await run([name, "--help"]);
    assert.equal(code, 0);
    assert.ok(out.startsWith(`npx @vestibule-auth/edge ${name}`), out);
  }
  const { out } = await run(["--help"]);
  assert.ok(out.includes("npx @vestibule-auth/edge COMMAND"), out);
});

test("a file of another name is what its keys say, and is for the runtime that is named", async () => {
  const own = VESTIBULE.replace("\n", '\nrefresh.lease = "redis"\nrevocation.store = "redis"\n');
  const path = project({ "site.toml": own, "odd.toml": `name = "shop"\n${VESTIBULE}`, "workers.toml": WRANGLER });
  const url = "https://app.example.com/";
  for (const runtime of ["native", "wasi"]) {
    const { code, out, err } = await run(["explain", "GET", url, "--config", "site.toml", "--runtime", runtime], path);
    assert.equal(code, 0, err);
    assert.ok(out.includes("rule       AUTH.rules[0] /"), out);
    const checked = await run(["check", "site.toml", "--runtime", runtime], path);
    assert.equal(checked.code, 0, checked.out);
    assert.ok(checked.out.includes("site.toml:3:12: advice: AUTH.revocation.store: \"redis\" needs the address"), checked.out);
  }
  const refused = await run(["explain", "GET", url, "--config", "site.toml"], path);
  assert.equal(refused.code, 1);
  assert.ok(refused.err.startsWith("explain: the configuration has mistakes for --runtime workers\nsite.toml:2:9: error:"), refused.err);
  const odd = await run(["check", "odd.toml"], path);
  assert.ok(odd.out.includes("odd.toml:1:1: advice: this file has `name` of a wrangler file"), odd.out);
  const none = await run(["compile", "workers.toml"], path);
  assert.deepEqual([none.code, none.out], [1, ""], none.err);
  assert.ok(none.err.includes("workers.toml:1:1: error: AUTH: the configuration is missing"), none.err);
  writeFileSync(join(path, "plain.toml"), VESTIBULE);
  assert.equal((await run(["compile", "plain.toml"], path)).code, 0);
  assert.ok(readFileSync(join(path, "vestibule.config.js"), "utf8").startsWith("// Compiled from plain.toml."));
});

test("explain says what the rules decide, and prints them as a table", async () => {
  const path = project({ "wrangler.toml": WRANGLER, "vestibule.toml": VESTIBULE });
  const url = "https://app.example.com/admin/x";
  const { out } = await run(["explain", "GET", url, "--claims", '{"roles": ["user"]}'], path);
  assert.ok(out.includes('requires   roles is "admin": no, it is ["user"]'), out);
  const table = await run(["explain", "--table"], path);
  assert.match(table.out, /AUTH\.rules\[1\] +\/admin\/:path\* +signs in +403 +roles is "admin" +origin/);
  const { rows } = JSON.parse((await run(["explain", "--table", "--json"], path)).out);
  assert.equal(rows[0].rule, "AUTH.rules[0]");
  const wrong = project({ "vestibule.toml": "x = 1\n" });
  const refused = await run(["explain", "GET", url], wrong);
  assert.equal(refused.code, 1);
  assert.ok(refused.err.includes("vestibule.toml:1:1: error: AUTH.x: unknown key"), refused.err);
});

test("compile writes a module with the same values, and nothing where there is a mistake", async () => {
  const path = project({ "wrangler.toml": WRANGLER, "vestibule.toml": VESTIBULE });
  const { code, err } = await run(["compile"], path);
  assert.equal(code, 0, err);
  const { default: config } = await import(join(path, "vestibule.config.js"));
  assert.equal(config.base_path, "/auth");
  assert.deepEqual(config.rules[1], { match: "/admin/:path*", require: { roles: ["admin"] } });
  assert.deepEqual(readdirSync(path).sort(), ["vestibule.config.js", "vestibule.toml", "wrangler.toml"]);

  const wrong = project({ "wrangler.toml": WRANGLER, "vestibule.toml": VESTIBULE.replace("/admin/:path*", "/(") });
  const refused = await run(["compile"], wrong);
  assert.equal(refused.code, 1);
  assert.ok(refused.err.includes("vestibule.toml:12:1: error: AUTH.rules[1].match"), refused.err);
  assert.deepEqual(readdirSync(wrong).sort(), ["vestibule.toml", "wrangler.toml"]);
});

test("check names a compiled module that is not what vestibule.toml says now, until it is compiled again", async () => {
  const wrangler = `${WRANGLER}\n[build]\ncommand = "npx @vestibule-auth/edge compile"\n`;
  const path = project({ "wrangler.toml": wrangler, "vestibule.toml": VESTIBULE });
  await run(["compile"], path);
  assert.ok(!(await run(["check"], path)).out.includes("vestibule.config.js"));
  writeFileSync(join(path, "vestibule.toml"), VESTIBULE.replace("/admin/:path*", "/staff/:path*"));
  const { code, out } = await run(["check"], path);
  assert.equal(code, 0);
  assert.ok(out.includes("vestibule.config.js:1:1: advice: this is not what vestibule.toml says now, which differs in rules;"), out);
  assert.ok(!(await run(["compile"], path)).err.includes("vestibule.config.js"));
  assert.ok(!(await run(["check"], path)).out.includes("vestibule.config.js"));
});

test("before a deployment check prints nothing but mistakes, and asks for no secrets", async () => {
  const auth = '\n[vars.AUTH]\ndefault_access = "signed-in"\n\n[[vars.AUTH.providers]]\nid = "okta"\nissuer = "https://a.okta.com"\n';
  const path = project({ "wrangler.toml": WRANGLER + auth, ".dev.vars": 'AUTH_SECRET="0123456789abcdefghijklmnopqrstuvwxyz"\n' });
  assert.equal((await run(["check"], path)).code, 1);
  assert.deepEqual(await run(["check", "--errors-only"], path), { code: 0, out: "", err: "" });
  writeFileSync(join(path, "wrangler.toml"), WRANGLER + auth.replace("signed-in", "signd-in"));
  const { code, out, err } = await run(["check", "--errors-only"], path);
  assert.equal(code, 1);
  assert.equal(out, "");
  // `wrangler dev` goes on: its Worker shows the mistake.
  const inDevelopment = await run(["check", "--errors-only"], path, { env: { WRANGLER_COMMAND: "dev" } });
  assert.deepEqual(inDevelopment, { code: 0, out, err });
  assert.match(err, /^wrangler\.toml:7:1: error: AUTH\.default_access: .*did you mean "signed-in"\?\n$/);
});

test("files of Windows are read like others: CR and LF, and a byte order mark", async () => {
  const windows = (text) => `\ufeff${text.replaceAll("\n", "\r\n")}`;
  const files = { "wrangler.toml": WRANGLER, "vestibule.toml": VESTIBULE, ".dev.vars": DEV_VARS };
  const path = project(Object.fromEntries(Object.entries(files).map(([name, text]) => [name, windows(text)])));
  const { code, out } = await run(["check"], path);
  assert.equal(out, "0 errors, 0 pieces of advice\n");
  assert.equal(code, 0);
  assert.equal((await run(["compile"], path)).code, 0);
  const { default: config } = await import(join(path, "vestibule.config.js"));
  const other = project(files);
  await run(["compile"], other);
  assert.deepEqual(config, (await import(join(other, "vestibule.config.js"))).default);
  // Places are those of an editor.
  writeFileSync(join(path, "vestibule.toml"), windows(VESTIBULE.replace("/admin/:path*", "/(")));
  assert.match((await run(["check"], path)).out, /^vestibule\.toml:12:1: error: AUTH\.rules\[1\].match/m);
});

/** The hash in each line that `who` prints, by its user. */
const hashes = (out) => new Map(out.trimEnd().split("\n").map((line) => line.split("\t").reverse()));

test("who says whose hash it is, with the secret from the input, a file, the environment or .dev.vars", async () => {
  const [secret, old] = ["0123456789abcdefghijklmnopqrstuvwxyz", "the-secret-before-this-one-of-the-tests"];
  const users = "okta:00u1\r\nokta:00u2\r\n\r\ngithub:7\r\n";
  const path = project({ "users.txt": users, "production.vars": `AUTH_SECRET="${secret}"\r\nAUTH_SECRET_1=${old}\r\n` });
  const all = await run(["who", "users.txt", "--dev-vars", "production.vars"], path);
  assert.equal(all.code, 0, all.err);
  assert.equal(all.out.split("\n").length, 7);
  const known = await run(["who", "users.txt", "--secret-stdin"], path, { input: `${secret}\n` });
  const hash = hashes(known.out).get("okta:00u2");
  assert.match(hash, /^[\w-]{22}$/);
  assert.ok(all.out.includes(`${hash}\tokta:00u2\n`), all.out);

  const expected = { code: 0, out: `${hash}\tokta:00u2\n`, err: "" };
  assert.deepEqual(await run(["who", "users.txt", "--hash", hash, "--secret-stdin"], path, { input: `${old}\r\n${secret}\r\n` }), expected);
  assert.deepEqual(await run(["who", "--hash", hash], path, { input: users, env: { AUTH_SECRET_1: secret } }), expected);
  writeFileSync(join(path, ".dev.vars"), `AUTH_SECRET="${secret}"\n`);
  assert.deepEqual(await run(["who", "users.txt", `--hash=${hash}`], path), expected);
  // A hash may begin with a dash.
  assert.match((await run(["who", "users.txt", "--hash", "-qxcPcpQ7fD2RkG4bWc2nA"], path)).err, /none of these users/);

  // The environment counts before .dev.vars, and an option before both.
  const other = await run(["who", "users.txt", "--hash", hash], path, { env: { AUTH_SECRET: old } });
  assert.equal(other.code, 1);
  assert.equal(other.out, "");
  assert.match(other.err, /none of these users has this hash/);
  for (const text of [other.err, all.err, known.err]) assert.ok(!text.includes(secret) && !text.includes(old), text);
  const none = await run(["who", "users.txt", "--hash", hash], project({ "users.txt": users }));
  assert.equal(none.code, 1);
  assert.match(none.err, /AUTH_SECRET/);
  const wrong = await run(["who", "--hash", hash], path, { input: "alice\n" });
  assert.match(wrong.err, /"alice" is not PROVIDER:SUB/);
});

test("who names the users of lines that the core wrote", async () => {
  // crates/core/tests/flows/audit.rs wrote them, with the secret of crates/testing.
  const lines = readFileSync(join(ROOT, "crates/core/tests/flows/audit/lines.ndjson"), "utf8");
  const [, secret] = readFileSync(join(ROOT, "crates/testing/src/settings.rs"), "utf8").match(/SECRET: &str = "(.+)";/);
  const refused = lines.split("\n").find((line) => line.includes('"access_refused"'));
  const { subject } = JSON.parse(refused);
  const path = project({ "users.txt": "acme:alice-1\nacme:bob-1\nacme:mallory-1\n" });
  const { out, err } = await run(["who", "users.txt", "--hash", subject, "--secret-stdin"], path, { input: secret });
  assert.equal(out, `${subject}\tacme:bob-1\n`, err);
});

/** A provider on this machine that answers as `answer` says. */
async function provider(answer) {
  const seen = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const { pathname, search } = new URL(request.url, "http://localhost");
      seen.push({ pathname, search, head: JSON.stringify(request.headers), body: Buffer.concat(chunks).toString() });
      answer(pathname, response, `http://localhost:${server.address().port}`);
    });
  });
  await new Promise((resolve) => server.listen(0, "localhost", resolve));
  after(() => server.close());
  return { seen, issuer: `http://localhost:${server.address().port}` };
}

function json(response, status, body) {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

const KEYS = {
  // RFC 8037 appendix A.2.
  keys: [{ kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" }],
};

function honest(pathname, response, issuer) {
  switch (pathname) {
    case "/.well-known/openid-configuration":
      return json(response, 200, {
        issuer,
        authorization_endpoint: `${issuer}/authorize`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
      });
    case "/keys":
      return json(response, 200, KEYS);
    case "/token":
      return json(response, 400, { error: "invalid_grant" });
    default:
      return response.writeHead(400, { "content-type": "text/html" }).end("Error 400: redirect_uri_mismatch");
  }
}

function live(issuer) {
  const secrets = 'AUTH_SECRET="0123456789abcdefghijklmnopqrstuvwxyz"\nAUTH_ACME_ID="shop"\nAUTH_ACME_SECRET="of-the-client"\n';
  const vestibule = `[[providers]]\nid = "acme"\nissuer = "${issuer}"\n`;
  const path = project({ "wrangler.toml": WRANGLER, "vestibule.toml": vestibule, ".dev.vars": secrets });
  return run(["check", "--live", "--site", "http://localhost:8787"], path);
}

test("--live names a redirect URI that is not registered, and sends the secret to the token endpoint only", async () => {
  const { seen, issuer } = await provider(honest);
  const { code, out } = await live(issuer);
  assert.equal(code, 1, out);
  assert.ok(out.includes("vestibule.toml:1:1: error: AUTH.providers[0]: the redirect URI is not registered"), out);
  assert.ok(out.includes("register http://localhost:8787/auth/callback/acme"), out);
  const basic = Buffer.from("shop:of-the-client").toString("base64");
  for (const { pathname, search, head, body } of seen) {
    const text = `${search} ${head} ${body}`;
    const hasSecret = text.includes(basic) || text.includes("of-the-client");
    assert.equal(hasSecret, pathname === "/token", pathname);
    assert.ok(!text.includes("0123456789abcdefghijklmnopqrstuvwxyz"), pathname);
  }
  assert.equal(seen.length, 4);
});

test("--live is not led elsewhere, nor flooded", async () => {
  const elsewhere = await provider((_, response) => response.writeHead(200).end("led here"));
  const redirecting = await provider((_, response) => response.writeHead(302, { location: elsewhere.issuer }).end());
  const led = await live(redirecting.issuer);
  assert.ok(led.out.includes(`redirects are not followed, to ${elsewhere.issuer}`), led.out);
  assert.equal(elsewhere.seen.length, 0);

  const endless = await provider((_, response) => {
    response.writeHead(200, { "content-type": "application/json" });
    const more = () => {
      while (response.writable && response.write(" ".repeat(65536)));
      response.once("drain", more);
    };
    more();
  });
  const flooded = await live(endless.issuer);
  assert.ok(flooded.out.includes("the answer is larger than 131072 bytes"), flooded.out);
});
