// `tsc --strict` over types/: the helpers with the types of each framework, those of next-auth 4 and 5, and the Worker's
// module with Cloudflare's types.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

const folder = fileURLToPath(new URL("..", import.meta.url));
const compilers = { "TypeScript 6": "node_modules/typescript/bin/tsc", "TypeScript 7": "node_modules/typescript-7/bin/tsc" };
const projects = ["tsconfig.json", "tsconfig.package.json", "tsconfig.next-auth-5.json", "tsconfig.worker.json"];

for (const [name, compiler] of Object.entries(compilers)) {
  for (const project of projects) {
    test(`${name} accepts ${project}`, () => {
      const { stdout, stderr } = spawnSync(process.execPath, [compiler, "--project", project], { cwd: folder, encoding: "utf8" });
      assert.equal(stdout + stderr, "");
    });
  }
}
