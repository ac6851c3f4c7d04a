// The helpers in the Workers runtime, which has no Node.js: many requests at once share one request for the keys, and a
// client that goes away takes nobody with it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { AUDIENCE, ISSUER, assertion, keyPair, keyServer, withKeys } from "./provider.mjs";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const { default: workerd } = createRequire(join(repository, "package.json"))("workerd");
const TIMEOUT = 5000;

const WORKER = `
import { user } from "./server/index.js";
const options = { issuer: ${JSON.stringify(ISSUER)}, audience: ${JSON.stringify(AUDIENCE)}, timeout: ${TIMEOUT} };
export default {
  async fetch(request) {
    try {
      return Response.json(await user(request, options));
    } catch (error) {
      return Response.json({ code: error.code, message: String(error) }, { status: error.status ?? 500 });
    }
  },
};
`;

/** Starts a Worker whose requests all go to `keys`. Gives its address. */
async function worker(t, keys, compatibilityDate) {
  const folder = mkdtempSync(join(tmpdir(), "vestibule-workers-"));
  writeFileSync(join(folder, "index.js"), WORKER);
  const names = ["index.js"];
  for (const part of ["server", "types"]) {
    cpSync(join(repository, "npm", part), join(folder, part), { recursive: true });
    names.push(...readdirSync(join(folder, part)).filter((name) => name.endsWith(".js")).map((name) => `${part}/${name}`));
  }
  const modules = names.map((name) => `(name = "${name}", esModule = embed "${name}")`).join(", ");
  writeFileSync(
    join(folder, "config.capnp"),
    `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (modules = [${modules}], compatibilityDate = "${compatibilityDate}", globalOutbound = "keys")),
    (name = "keys", external = (address = "${new URL(keys.url).host}", http = ())),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
);
`,
  );
  const child = spawn(workerd, ["serve", "config.capnp", "--control-fd=3"], {
    cwd: folder,
    stdio: ["ignore", "inherit", "inherit", "pipe"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  t.after(async () => {
    child.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  });
  for await (const line of createInterface({ input: child.stdio[3] })) {
    const { event, port } = JSON.parse(line);
    if (event === "listen") return `http://127.0.0.1:${port}/`;
  }
  throw new Error("workerd did not start");
}

test("a Worker verifies assertions, and asks for the keys once", async (t) => {
  const [known, stranger] = [await keyPair("worker"), await keyPair("stranger")];
  const keys = await withKeys(t, [known]);
  const url = await worker(t, keys, "2026-01-01");
  const ask = async (headers) => await (await fetch(url, { headers })).json();
  const token = await assertion(known);
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask({ "x-vestibule-assertion": token })));
  for (const answer of answers) assert.equal(answer.account, "okta:00u1a2b3", JSON.stringify(answer));
  assert.equal(await ask({}), null);
  assert.equal((await ask({ "x-vestibule-assertion": await assertion(stranger) })).code, "unknown_key");
  assert.equal(keys.requests, 1);
});

for (const date of ["2024-01-01", "2026-01-01"]) {
  test(`with compatibility date ${date}, a client that goes away while the keys are fetched hangs no other`, async (t) => {
    const known = await keyPair("worker");
    let answer;
    const asked = new Promise((resolve) => (answer = resolve));
    const keys = await keyServer(t, (_request, response) => answer(response));
    const url = await worker(t, keys, date);
    const headers = { "x-vestibule-assertion": await assertion(known) };
    const gone = new AbortController();
    const first = fetch(url, { headers, signal: gone.signal }).catch(() => "gone");
    const response = await asked;
    const others = Array.from({ length: 5 }, () => fetch(url, { headers }));
    gone.abort();
    assert.equal(await first, "gone");
    response.end(JSON.stringify({ keys: [known.jwk] }));
    for (const other of await Promise.all(others)) {
      // The keys, or that they are unavailable; never a request that hangs.
      const body = await other.text();
      assert.ok(other.status === 200 || (other.status === 503 && body.includes("keys_unavailable")), body);
    }
  });
}
