// jq, for a shell that looks for it: node jq.mjs [OPTIONS] PROGRAM FILE. It is the real one, as WebAssembly; of its options
// those without a value and `--arg NAME VALUE`.
import { readFileSync } from "node:fs";
import * as jq from "jq-wasm";

const flags = [];
const words = [];
for (let rest = process.argv.slice(2); rest.length > 0; ) {
  const count = rest[0] === "--arg" ? 3 : 1;
  (rest[0].startsWith("-") ? flags : words).push(...rest.slice(0, count));
  rest = rest.slice(count);
}
const [program, file] = words;
try {
  const printed = await jq.raw(readFileSync(file, "utf8"), program, flags);
  if (printed !== "") process.stdout.write(`${printed.trimEnd()}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 5;
}
