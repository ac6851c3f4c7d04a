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
import { user } from "../../npm/server/index.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const SUPERVISE = join(ROOT, "xtask/src/stack/supervise.mjs");
const PACKAGE = "@vestibule-auth/edge";
const INSTALLED = join("node_modules", PACKAGE);
/** Busy machines take long to start a runtime. */
const MAX_START_MS = 120_000;

const PROVIDER = (api) => ({
  id: "credentials",
  type: "credentials",
  fields: [{ name: "email", type: "email" }, { name: "password", type: "password" }],
  login: {
    url: `${api}/sign-in`,
    body: { email: "{email}", password: "{password}" },
    access_token: "body.accessToken",
    expires_in: "body.expiresIn",
    error: "body.error",
  },
  profile: { url: `${api}/me` },
  user: { id: "profile.id", email: "profile.email" },
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
  providers: [PROVIDER(api)],
  rules: RULES,
  upstreams: [{ to: api, authorization: "access_token" }],
});

const ENTRY = `import { createWorker, RefreshLease } from "${PACKAGE}";
import config from "./vestibule.config.js";
export default createWorker(config);
export { RefreshLease };
`;

const MAIN = `${INSTALLED.replaceAll("\\", "/")}/worker/index.js`;

const HEAD = (main) => `name = "site"\nmain = "${main}"\ncompatibility_date = "2026-10-23"\n`;

const KV = `
[[kv_namespaces]]
binding = "AUTH_KV"
`;

const COMPILE = `
[build]
command = "npx ${PACKAGE} compile"
watch_dir = "vestibule.toml"
`;

const CHECK = `
[build]
command = "npx ${PACKAGE} check --errors-only"
`;

/** The files of a project with the three lines. */
const threeLines = (config, overrides = "") => ({
  "worker.js": ENTRY,
  "vestibule.toml": lines(config),
  "wrangler.toml": `${HEAD("worker.js")}${COMPILE}${KV}${overrides}`,
});

/** More than a variable may have. */
const many = (api) => {
  const sections = Array.from({ length: 400 }, (_, at) => ({ match: `/section-${at}/:path*`, access: "public" }));
  return { ...settings(api), rules: [...RULES, ...sections] };
};

/** Each way to use the package: how the files of a project come to be, and what holds then. */
const WAYS = [
  {
    name: "what init writes",
    init: (api) => ["--framework=express", `--origin=${api}`, `--api=${api}/sign-in`, "--public=/,/about", "--name=site", "--yes"],
    base: "/auth",
    page: "/api/account",
  },
  {
    name: "main is the package's Worker, with [vars.AUTH]",
    files: (api) => ({ "wrangler.toml": `${HEAD(MAIN)}${CHECK}${KV}\n[vars.AUTH]\n${lines(settings(api))}` }),
    base: "/auth",
    page: "/account",
  },
  {
    name: "three lines and vestibule.toml with more than 5 KB, and [vars.AUTH] over it",
    files: (api) => threeLines(many(api), '\n[vars.AUTH]\nbase_path = "/login"\n'),
    base: "/login",
    page: "/account",
  },
  {
    name: "a mistake in vestibule.config.js that nobody checked is named with its file",
    files: (api) => ({
      "worker.js": ENTRY,
      "vestibule.config.js": `export default ${JSON.stringify({ ...settings(api), ruels: [] })};\n`,
      "wrangler.toml": `${HEAD("worker.js")}${KV}\n[vars.AUTH.session]\nmaximum = 1\n`,
    }),
    mistakes: ["AUTH.ruels (vestibule.toml): unknown key", "AUTH.session.maximum ([vars.AUTH]): unknown key"],
  },
];

/** wrangler asks nobody, and keeps its files in the project. */
const QUIET = (project) => ({
  CI: "1",
  NO_COLOR: "1",
  WRANGLER_SEND_METRICS: "false",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  XDG_CONFIG_HOME: join(project, ".config"),
});

const running = [];
const folder = await mkdtemp(join(tmpdir(), "vestibule-package-"));
try {
  const tarball = resolve(process.argv[2]);
  const api = await start("the API", [process.execPath, join(ROOT, "tests/package/login.mjs")], folder);
  for (const [at, way] of WAYS.entries()) {
    console.log(`\n${way.name}`);
    await walk(way, join(folder, String(at)), tarball, api.address);
  }
  console.log("\na mistake in the configuration");
  await timed("not deployed", () => notDeployed(join(folder, "1")));
  console.log("\na package whose checksum is wrong");
  await timed("refused", () => damaged(join(folder, "0")));
} finally {
  await Promise.all(running.map((child) => child.end()));
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
}

async function walk(way, project, tarball, api) {
  await mkdir(project);
  await timed("npm install", async () => {
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    await run([npm, "init", "--yes"], project);
    await run([npm, "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", tarball], project);
  });
  if (way.init !== undefined) {
    await timed("init", () => command(project, "init", ...way.init(api)));
  } else {
    for (const [name, text] of Object.entries(way.files(api))) await writeFile(join(project, name), text);
    await writeFile(join(project, ".dev.vars"), 'AUTH_SECRET="of-a-test-and-of-nothing-else-at-all"\n');
  }
  if (way.mistakes === undefined) await timed("check", () => command(project, "check"));
  const dev = [process.execPath, SUPERVISE, process.execPath, WRANGLER, "dev", "--ip=127.0.0.1", "--port=0"];
  const worker = await timed("wrangler dev", () =>
    start("wrangler", [...dev, "--inspector-port=0", "--show-interactive-dev-session=false"], project, QUIET(project)),
  );
  if (way.mistakes === undefined) {
    await timed("sign in", () => signIn(worker, way));
  } else {
    await timed("the answer and the log", () => refused(worker, way.mistakes));
  }
  await worker.end();
}

/** Runs a command of the package as its documents say, but never another package of that name. */
function command(project, ...args) {
  const npx = process.platform === "win32" ? "npx.cmd" : "npx";
  return run([npx, "--no", PACKAGE, ...args], project);
}

/** Signs in with the form's fields, and sees what a page and the application behind the Worker get. */
async function signIn(worker, { base, page, init }) {
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
  assert.equal((await ask(page)).status, 401);
  const { csrfToken } = await (await ask(`${base}/csrf`)).json();
  const origin = new URL(worker.address).origin;
  const send = async (password) =>
    ask(`${base}/callback/credentials`, {
      method: "POST",
      headers: { origin, "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ csrfToken, callbackUrl: page, email: "alice@example.com", password }),
    });
  const wrong = await send("not Alice's");
  assert.match(wrong.headers.get("location") ?? "", /error=CredentialsSignin/);
  const signedIn = await send("alice");
  assert.equal(new URL(signedIn.headers.get("location"), worker.address).pathname, page, worker.output());
  const session = await (await ask(`${base}/session`)).json();
  assert.equal(session.user.email, "alice@example.com");
  const { path, headers } = await (await ask(page)).json();
  assert.equal(path, page);
  assert.equal(headers.authorization, "Bearer the-token-of-alice");
  if (init !== undefined) await verified(worker, base, await (await ask("/account")).json());
}

/** A request to the application has an assertion that the package's helpers verify. */
async function verified(worker, base, { headers }) {
  const issuer = `${new URL(worker.address).origin}${base}`;
  const found = await user({ headers }, { issuer, audience: "app" });
  assert.equal(found?.account, "credentials:user-1");
  assert.equal(found.name, "Alice Example");
}

/** Every request is answered with 500, and the log has every mistake. */
async function refused(worker, mistakes) {
  assert.equal((await fetch(new URL("/about", worker.address))).status, 500);
  for (const mistake of mistakes) await worker.says(mistake);
}

/** The build ends before anything is deployed, and says why. Without the mistake it does not end. */
async function notDeployed(project) {
  const path = join(project, "wrangler.toml");
  const deploy = () => run([process.execPath, WRANGLER, "deploy", "--dry-run", "--outdir=out"], project, QUIET(project));
  await deploy();
  await appendFile(path, 'default_acess = "signed-in"\n');
  await assert.rejects(deploy(), /wrangler\.toml:\d+:1: error: AUTH\.default_acess: unknown key; did you mean/);
}

/** A changed byte is noticed, and nothing is compiled or deployed then. */
async function damaged(project) {
  const installed = join(project, INSTALLED);
  const command = (...args) => run([process.execPath, join(installed, "bin/vestibule.mjs"), ...args], project);
  await command("verify");
  for (const name of ["worker/index_bg.wasm", "worker/index.js", "cli/core_bg.wasm"]) {
    const path = join(installed, name);
    const bytes = await readFile(path);
    await appendFile(path, "\n");
    const message = new RegExp(`${name} has the SHA-256 .* install the package again`, "s");
    await assert.rejects(command("verify"), message);
    await assert.rejects(command("compile"), message);
    await assert.rejects(command("check", "--errors-only"), message);
    await rm(path);
    await assert.rejects(command("compile"), new RegExp(`${name} is missing`));
    await writeFile(path, bytes);
  }
  await rm(join(installed, "checksums.txt"));
  await assert.rejects(command("compile"), /checksums.txt is missing/);
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
async function run([command, ...args], cwd, env) {
  const child = spawn(command, args, { cwd, env: environment(env), stdio: ["ignore", "pipe", "pipe"], shell: command.endsWith(".cmd") });
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
