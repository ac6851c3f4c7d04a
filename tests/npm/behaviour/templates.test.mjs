// What `init` writes from is what examples/ and the presets are.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { EXAMPLES, target, templates } from "../templates.mjs";

test("the templates are the examples", () => {
  if (process.env.UPDATE === "1") writeFileSync(target, templates());
  const written = readFileSync(target, "utf8");
  assert.equal(written, templates(), "run it with UPDATE=1");
  const { examples, providers } = JSON.parse(written);
  assert.deepEqual(Object.keys(examples), EXAMPLES);
  for (const [id, { secrets }] of Object.entries(providers)) assert.ok(secrets?.length > 0, id);
});
