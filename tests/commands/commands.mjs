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

/** Runs a command in a folder. */
function run(args, cwd = folder) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], { cwd });
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
    [["explain", "GET"], "name a method and a URL"],
    [["explain", "--table", "GET"], "--table takes no request"],
    [["compile", "empty"], "empty has neither"],
    [["chekc"], 'there is no command "chekc"'],
    [["__proto__"], "there is no command"],
  ]) {
    const { code, err } = await run(args, path);
    assert.equal(code, 2, `${args}: ${err}`);
    assert.ok(err.includes(message), `${args}: ${err}`);
  }
});

test("every command has a help", async () => {
  for (const name of ["check", "explain", "compile", "init", "verify"]) {
    const { code, out } = await run([name, "--help"]);
    assert.equal(code, 0);
    assert.ok(out.startsWith(`npx @vestibule-auth/edge ${name}`), out);
  }
  const { out } = await run(["--help"]);
  assert.ok(out.includes("npx @vestibule-auth/edge COMMAND"), out);
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
