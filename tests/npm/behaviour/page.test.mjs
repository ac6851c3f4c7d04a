// Follows docs/typescript.md: its blocks are files, which have to compile; those for Express and Hono are run.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { join } from "node:path";
import { after, test } from "node:test";
import ts from "typescript";
import { assertion, keyPair } from "./provider.mjs";

const tests = fileURLToPath(new URL("..", import.meta.url));
const page = readFileSync(new URL("../../../docs/typescript.md", import.meta.url), "utf8");
// Below tests/npm/, so that imports find its packages.
const folder = join(tests, "node_modules/.page");

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
after(() => rmSync(folder, { recursive: true, force: true }));

const files = [...page.matchAll(/^```ts\n(\/\/ (\S+\.ts)\n.*?)^```$/gms)].map(([, text, name]) => ({ name, text }));
for (const { name, text } of files) writeFileSync(join(folder, name), text);
writeFileSync(join(folder, "package.json"), '{ "type": "module" }\n');
// The claims of getToken(), as an application uses them once next-auth.ts is there.
writeFileSync(
  join(folder, "uses-next-auth.ts"),
  `import type { Session } from "next-auth";
import type { JWT } from "next-auth/jwt";
export const roles = (session: Session, token: JWT): string[] => [...session.user.roles, ...token.roles];
`,
);
writeFileSync(
  join(folder, "tsconfig.json"),
  JSON.stringify({ extends: "../../tsconfig.json", compilerOptions: { typeRoots: ["../@types"] }, include: ["*.ts"] }),
);

test("every block of TypeScript is a file that compiles", () => {
  assert.deepEqual(
    files.map((file) => file.name).sort(),
    ["express.ts", "hono.ts", "hooks.server.ts", "loader.ts", "next-auth.ts", "next.ts", "plain.ts", "session.ts", "vestibule.ts"],
  );
  assert.equal(files.length, page.match(/^```ts$/gm).length);
  const compiler = join(tests, "node_modules/typescript/bin/tsc");
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, "--project", folder], { encoding: "utf8" });
  assert.equal(stdout + stderr, "");
});

/** Compiles a block and what it imports of the page, and imports it. */
async function imported(name) {
  for (const file of files.filter((file) => ["vestibule.ts", `${name}.ts`].includes(file.name))) {
    const options = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022, verbatimModuleSyntax: true };
    const { outputText } = ts.transpileModule(file.text, { compilerOptions: options });
    writeFileSync(join(folder, file.name.replace(/\.ts$/, ".js")), outputText);
  }
  return await import(pathToFileURL(join(folder, `${name}.js`)));
}

test("the applications of Express and Hono know the user", async (t) => {
  const worker = await keyPair("worker");
  const real = globalThis.fetch;
  // The page's issuer is no host of this machine.
  t.mock.method(globalThis, "fetch", async (url, init) => {
    if (String(url) !== "https://app.example.com/auth/jwks.json") return await real(url, init);
    return Response.json({ keys: [worker.jwk] });
  });
  t.mock.method(console, "warn", () => {});
  const { app: express } = await imported("express");
  const server = express.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.closeAllConnections(), server.close()));
  const { app: hono } = await imported("hono");
  const at = `http://127.0.0.1:${server.address().port}`;
  const valid = { "x-vestibule-assertion": await assertion(worker, { claims: { aud: "app", name: "Alice" } }) };
  const forOthers = { "x-vestibule-assertion": await assertion(worker, { claims: { aud: "other" } }) };
  for (const ask of [(path, headers) => real(at + path, { headers }), (path, headers) => hono.request(path, { headers })]) {
    assert.deepEqual(await (await ask("/hello", valid)).json(), { hello: "Alice" });
    assert.deepEqual(await (await ask("/hello", {})).json(), { hello: "stranger" });
    assert.equal((await ask("/hello", forOthers)).status, 401);
  }
  assert.deepEqual(await (await real(`${at}/orders`, { headers: valid })).json(), { ordersOf: "okta:00u1a2b3" });
  assert.equal((await real(`${at}/orders`)).status, 401);
});

test("every code of an error is on the page, and no other", () => {
  const types = (path) => readFileSync(new URL(`../../../npm/${path}`, import.meta.url), "utf8");
  const codes = (path, name) => types(path).match(new RegExp(`type ${name} =([^;]+);`))[1].match(/\w+(?=")/g);
  for (const code of [...codes("server/index.d.ts", "VerificationErrorCode"), ...codes("types/session.d.ts", "TokenErrorCode")]) {
    assert.ok(page.includes(`\`${code}\``), code);
  }
});
