// Uses the npm package as a stranger would: in an empty folder, with npm and wrangler, and without this repository. Prints
// how long each step took.
//
//   node tests/package/walk.mjs TARBALL
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const SUPERVISE = join(ROOT, "xtask/src/stack/supervise.mjs");
const PACKAGE = "@vestibule-auth/edge";
const INSTALLED = join("node_modules", PACKAGE);
/** Busy machines take long to start a runtime. */
const MAX_START_MS = 120_000;

const PROVIDER = (api) => ({
  id: "own",
  type: "credentials",
  fields: [{ name: "email", type: "email" }, { name: "password", type: "password" }],
  login: {
    url: `${api}/sign-in`,
    body: { email: "{email}", password: "{password}" },
    access_token: "body.accessToken",
    expires_in: "body.expiresIn",
    error: "body.error",
  },
  user: { id: "login.user.id", email: "login.user.email" },
});

const RULES = [{ match: ["/", "/about"], access: "public" }];

/** The configuration as TOML: JSON's values, in inline tables. */
const toml = (value) => {
  if (Array.isArray(value)) return `[${value.map(toml).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{ ${Object.entries(value).map(([key, inner]) => `${key} = ${toml(inner)}`).join(", ")} }`;
};

const lines = (table) => Object.entries(table).map(([key, value]) => `${key} = ${toml(value)}\n`).join("");

const settings = (api) => ({
  session: { expose: { access_token: "access_token" } },
  providers: [PROVIDER(api)],
  rules: RULES,
  upstreams: [{ to: api, authorization: "access_token", headers: { "X-User-Email": "email" } }],
});

const ENTRY = `import { createWorker, RefreshLease } from "${PACKAGE}";
import config from "./vestibule.config.js";
export default createWorker(config);
export { RefreshLease };
`;

const HEAD = (main) => `name = "site"\nmain = "${main}"\ncompatibility_date = "2026-10-23"\n\n[[kv_namespaces]]\nbinding = "AUTH_KV"\n`;

const LEASE = `
[[durable_objects.bindings]]
name = "AUTH_LEASE"
class_name = "RefreshLease"

[[migrations]]
tag = "v1"
new_sqlite_classes = ["RefreshLease"]
`;

const MAIN = `${INSTALLED.replaceAll("\\", "/")}/worker/index.js`;

/** Each way to use the package: the files of a project, and what else has to hold. */
const WAYS = [
  {
    name: "main is the package's Worker, with [vars.AUTH]",
    files: (api) => ({ "wrangler.toml": `${HEAD(MAIN)}\n[vars.AUTH]\n${lines(settings(api))}` }),
    base: "/auth",
  },
  {
    name: "three lines, with vestibule.config.js and [vars.AUTH] over it",
    files: (api) => ({
      "index.js": ENTRY,
      "vestibule.config.js": `export default ${JSON.stringify({ ...settings(api), refresh: { lease: "durable-object" } })};\n`,
      "wrangler.toml": `${HEAD("index.js")}${LEASE}\n[vars.AUTH]\nbase_path = "/login"\n`,
    }),
    base: "/login",
  },
  {
    name: "a configuration of more than 5 KB in vestibule.config.js",
    files: (api) => {
      const rules = Array.from({ length: 400 }, (_, at) => ({ match: `/section-${at}/:path*`, access: "public" }));
      const config = { ...settings(api), rules: [...RULES, ...rules] };
      return {
        "index.js": ENTRY,
        "vestibule.config.js": `export default ${JSON.stringify(config)};\n`,
        "wrangler.toml": HEAD("index.js"),
      };
    },
    base: "/auth",
  },
  {
    name: "a mistake in vestibule.config.js is named with its file",
    files: (api) => ({
      "index.js": ENTRY,
      "vestibule.config.js": `export default ${JSON.stringify({ ...settings(api), ruels: [] })};\n`,
      "wrangler.toml": `${HEAD("index.js")}\n[vars.AUTH.session]\nmaximum = 1\n`,
    }),
    mistakes: ["AUTH.ruels (vestibule.toml): unknown key", "AUTH.session.maximum ([vars.AUTH]): unknown key"],
  },
];

const running = [];
const folder = await mkdtemp(join(tmpdir(), "vestibule-package-"));
try {
  const tarball = resolve(process.argv[2]);
  const api = await start("the API", [process.execPath, join(ROOT, "tests/package/api.mjs")], folder);
  for (const [at, way] of WAYS.entries()) {
    console.log(`\n${way.name}`);
    await walk(way, join(folder, String(at)), tarball, api.address);
  }
  console.log("\na package whose checksum is wrong");
  await damaged(join(folder, "0", INSTALLED));
} finally {
  await Promise.all(running.map((child) => child.end()));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function walk(way, project, tarball, api) {
  await mkdir(project);
  await timed("npm install", async () => {
    await writeFile(join(project, "package.json"), '{ "private": true, "type": "module" }\n');
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    await run([npm, "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", tarball], project);
  });
  for (const [name, text] of Object.entries(way.files(api))) await writeFile(join(project, name), text);
  await writeFile(join(project, ".dev.vars"), 'AUTH_SECRET="of-a-test-and-of-nothing-else-at-all"\n');
  const dev = [process.execPath, SUPERVISE, process.execPath, WRANGLER, "dev", "--ip=127.0.0.1", "--port=0"];
  const worker = await timed("wrangler dev", () =>
    start("wrangler", [...dev, "--inspector-port=0", "--show-interactive-dev-session=false"], project, {
      CI: "1",
      NO_COLOR: "1",
      WRANGLER_SEND_METRICS: "false",
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      XDG_CONFIG_HOME: join(project, ".config"),
    }),
  );
  if (way.mistakes !== undefined) {
    await timed("the answer and the log", () => refused(worker, way.mistakes));
  } else {
    await timed("sign in", () => signIn(worker, way.base));
  }
  await worker.end();
}

/** Signs in with the form's fields, and sees what the page and the application behind the Worker get. */
async function signIn(worker, base) {
  const cookies = new Map();
  const ask = async (path, init = {}) => {
    const headers = { cookie: [...cookies].map((pair) => pair.join("=")).join("; "), ...init.headers };
    const response = await fetch(new URL(path, worker.address), { redirect: "manual", ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [name, value] = line.split(";")[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    return response;
  };
  assert.equal((await ask("/about")).status, 200);
  assert.equal((await ask("/account")).status, 401);
  const { csrfToken } = await (await ask(`${base}/csrf`)).json();
  const origin = new URL(worker.address).origin;
  const send = async (password) =>
    ask(`${base}/callback/own`, {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ csrfToken, callbackUrl: "/account", email: "alice@example.com", password }),
    });
  const wrong = await send("not Alice's");
  assert.match(wrong.headers.get("location") ?? "", /error=CredentialsSignin/);
  const signedIn = await send("alice");
  assert.equal(new URL(signedIn.headers.get("location"), worker.address).pathname, "/account", worker.output());
  const session = await (await ask(`${base}/session`)).json();
  assert.equal(session.user.email, "alice@example.com");
  assert.equal(session.access_token, "the-token-of-alice");
  const { headers } = await (await ask("/account")).json();
  assert.equal(headers.authorization, "Bearer the-token-of-alice");
  assert.equal(headers["x-user-email"], "alice@example.com");
}

/** Every request is answered with 500, and the log has every mistake. */
async function refused(worker, mistakes) {
  assert.equal((await fetch(new URL("/about", worker.address))).status, 500);
  for (const mistake of mistakes) await worker.says(mistake);
}

/** A changed byte of the Worker is noticed. */
async function damaged(installed) {
  const verify = [process.execPath, join(installed, "worker/verify.mjs")];
  await run(verify, installed);
  for (const name of ["worker/index_bg.wasm", "worker/index.js"]) {
    const path = join(installed, name);
    const bytes = await readFile(path);
    await appendFile(path, "\n");
    await assert.rejects(run(verify, installed), new RegExp(`${name} has the SHA-256 .* install the package again`, "s"));
    await rm(path);
    await assert.rejects(run(verify, installed), new RegExp(`${name} is missing`));
    await writeFile(path, bytes);
  }
  await rm(join(installed, "checksums.txt"));
  await assert.rejects(run(verify, installed), /checksums.txt is missing/);
}

async function timed(name, work) {
  const begin = performance.now();
  const result = await work();
  console.log(`  ${name.padEnd(24)}${((performance.now() - begin) / 1000).toFixed(1).padStart(6)} s`);
  return result;
}

/** Node.js of this process first: npm and wrangler start `node`. */
function environment(more = {}) {
  return { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`, ...more };
}

/** Runs a command to its end. Fails with its output. */
async function run([command, ...args], cwd) {
  const child = spawn(command, args, { cwd, env: environment(), stdio: ["ignore", "pipe", "pipe"], shell: command.endsWith(".cmd") });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}\n${output}`);
}

/** Starts a program that runs until its standard input ends, and waits until it prints its address. */
async function start(name, [command, ...args], cwd, env) {
  const child = spawn(command, args, { cwd, env: environment(env), stdio: ["pipe", "pipe", "pipe"] });
  const printed = [];
  const listeners = new Set();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      printed.push(line);
      for (const listener of listeners) listener();
    });
  }
  const ended = once(child, "close");
  const output = () => printed.join("\n");
  const find = (wanted) =>
    new Promise((found, failed) => {
      const fail = (why) => {
        clearTimeout(late);
        failed(new Error(`${name} ${why}\n${output()}`));
      };
      const late = setTimeout(fail, MAX_START_MS, `did not print ${wanted}`);
      const look = () => {
        const match = printed.map((line) => wanted.exec(line)).find((match) => match !== null);
        if (match === undefined) return;
        clearTimeout(late);
        listeners.delete(look);
        found(match[0]);
      };
      listeners.add(look);
      ended.then(() => fail("ended"));
      look();
    });
  const end = async () => {
    child.stdin.end();
    await ended;
  };
  running.push({ end });
  const address = await find(/http:\/\/127\.0\.0\.1:[1-9]\d*/);
  const says = (text) => find(new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  return { address, output, says, end };
}
