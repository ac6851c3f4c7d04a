import { parseArgs } from "node:util";
import { damages, message } from "../worker/verify.mjs";
import { guarded } from "./project.mjs";

const HELP = `npx @vestibule-auth/edge verify

Compares every module of the package with checksums.txt. If one is missing or was changed, the exit code is 1. \`compile\`
does the same before it writes anything.
`;

/** `verify`. Gives the exit code. */
export function run(args) {
  return guarded("verify", async () => {
    const { values } = parseArgs({ args, options: { help: { type: "boolean", short: "h" } } });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    return (await isIntact()) ? 0 : 1;
  });
}

/** Whether the package is the one that was published. If not, says so. */
export async function isIntact() {
  const problems = await damages();
  if (problems.length > 0) process.stderr.write(`${message(problems)}\n`);
  return problems.length === 0;
}
