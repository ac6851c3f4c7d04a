// Puts the package of npm/ into node_modules/ as an installation of it would be, so that imports go through its `exports`.
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";

const source = new URL("../../npm/", import.meta.url);
const target = new URL("./node_modules/@vestibule-auth/edge/", import.meta.url);

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
// Of `worker` only what is written by hand: the types.
for (const part of ["package.json", "server", "types", "cli", "bin", "worker"]) {
  if (existsSync(new URL(part, source))) cpSync(new URL(part, source), new URL(part, target), { recursive: true });
}
