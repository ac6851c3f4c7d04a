import { renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { COMPILED, HELP as FILES, OPTIONS, UsageError, ask, guarded, read } from "./project.mjs";
import { isIntact } from "./verify.mjs";

const HELP = `npx @vestibule-auth/edge compile [FILE] [options]

Checks vestibule.toml and makes a module of it that the Worker imports: vestibule.config.js beside it. If the configuration
has a mistake, nothing is written and the exit code is 1, so that a build ends before it is deployed:

  [build]
  command = "npx @vestibule-auth/edge compile"
  watch_dir = "vestibule.toml"

  --out FILE         another name for the module
${FILES}
`;

/** `compile`. Gives the exit code. */
export function run(args) {
  return guarded("compile", async () => {
    const options = { ...OPTIONS, out: { type: "string" } };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    if (positionals.length > 1) throw new UsageError("name one file or folder");
    // The Worker of a damaged package must not be deployed, and this is what runs before every deployment.
    if (!(await isIntact())) return 1;
    const input = read(positionals[0] ?? ".", values);
    const none = new UsageError("there is no vestibule.toml to compile");
    if (input.vestibule === undefined && input.named === undefined) throw none;
    const { module, report, text, from } = await ask("compile", { input });
    // A file whose keys say that it is a wrangler file, and nothing beside it.
    if (module === undefined && report.errors === 0) throw none;
    if (report.findings.length > 0) process.stderr.write(text);
    if (module === undefined) return 1;
    const out = values.out ?? join(dirname(from), COMPILED);
    // `wrangler dev` never sees half of a file.
    const staged = `${out}.${process.pid}.tmp`;
    writeFileSync(staged, module);
    renameSync(staged, out);
    process.stdout.write(`${out}\n`);
    return 0;
  });
}
