// Compares the files of this package with checksums.txt: a Worker that was changed or damaged must not be deployed.
//
//   node node_modules/@vestibule-auth/edge/worker/verify.mjs
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const LIST = "checksums.txt";
const LINE = /^([0-9a-f]{64}) {2}([\w./-]+)$/;

/**
 * What is wrong with the files of the package: a line for each file that is missing or not the one that was packed. Empty
 * if nothing is.
 */
export async function damages(folder = new URL("../", import.meta.url)) {
  const list = await readFile(new URL(LIST, folder), "utf8").catch(() => "");
  const lines = list.split("\n").filter((line) => line !== "");
  if (lines.length === 0) return [`${LIST} is missing or empty`];
  const found = await Promise.all(lines.map((line) => damage(folder, line)));
  return found.filter((problem) => problem !== undefined);
}

async function damage(folder, line) {
  const [, expected, name] = LINE.exec(line) ?? [];
  if (name === undefined) return `${LIST} has a line that is no checksum: ${JSON.stringify(line.slice(0, 100))}`;
  const bytes = await readFile(new URL(name, folder)).catch(() => undefined);
  if (bytes === undefined) return `${name} is missing`;
  const actual = createHash("sha256").update(bytes).digest("hex");
  if (actual !== expected) return `${name} has the SHA-256 ${actual}, and ${LIST} says ${expected}`;
}

/** The message about damages; it ends with how to repair them. */
export function message(problems) {
  const fix = "Remove node_modules/@vestibule-auth/edge and install the package again; do not deploy this one.";
  return ["@vestibule-auth/edge is not the package that was published:", ...problems.map((line) => `  ${line}`), fix].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = await damages();
  console.log(problems.length === 0 ? `every file is the one of ${LIST}` : message(problems));
  process.exitCode = problems.length === 0 ? 0 : 1;
}
