// The files of npm/ as they are packed, and what the documents say of the package.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const text = (path) => readFileSync(join(root, path), "utf8");

/** The files below a folder of the repository. */
function below(folder) {
  const entries = readdirSync(join(root, folder), { withFileTypes: true }).filter(({ name }) => name !== "node_modules");
  return entries.flatMap((entry) => (entry.isDirectory() ? below(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]));
}

const shown = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...below("docs"), ...below("npm"), ...below("examples")].filter(
  (path) => /\.(md|m?js|ts|tsx|json|jsonc|toml)$/.test(path) && !path.endsWith("package-lock.json"),
);

test("no document shows the package without its scope: that name is somebody else's", () => {
  assert.ok(shown.length > 50);
  for (const path of shown) {
    const unscoped = text(path).match(/\bnpx (-\S+ )*vestibule\b|\bnpm (i|install|add|exec) [^\n`]*(?<![\w@/.-])vestibule(?![\w-])|(from|import) "vestibule(\/|")/);
    assert.equal(unscoped, null, `${path}: ${unscoped?.[0]}`);
  }
});

test("every command is in the package's README, with its help, and no other", () => {
  const commands = [...text("npm/bin/vestibule.mjs").matchAll(/^  (\w+): "/gm)].map(([, name]) => name);
  const documented = [...text("npm/README.md").matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(documented.sort(), [...commands].sort());
  for (const name of commands) assert.ok(text(`npm/cli/${name === "who" ? "hashed-user" : name}.mjs`).includes(`\`npx @vestibule-auth/edge ${name}`), name);
});

test("Unix and the programs that npm writes on Windows can start the command, wherever it was packed", () => {
  assert.ok(text("npm/bin/vestibule.mjs").startsWith("#!/usr/bin/env node\n"));
  for (const path of below("npm")) assert.ok(!text(path).includes("\r"), path);
  assert.match(text(".gitattributes"), /^\* text=auto eol=lf$/m);
});

test("the entry module and the build of the package's README are those of docs/start.md and of init", () => {
  const entry = text("npm/README.md").match(/^```js\n(.*?)^```/ms)[1];
  assert.ok(text("docs/start.md").includes(`// worker.js\n${entry}`));
  assert.ok(text("npm/cli/init/project.mjs").includes(entry));
  for (const path of ["npm/README.md", "docs/start.md"]) {
    assert.match(text(path), /command = "npx @vestibule-auth\/edge compile"/);
    assert.match(text(path), /watch_dir = "vestibule\.toml"/);
    assert.match(text(path), /command = "npx @vestibule-auth\/edge check --errors-only"/);
  }
});
