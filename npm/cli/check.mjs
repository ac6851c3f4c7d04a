import { parseArgs } from "node:util";
import { answers as send } from "./fetch.mjs";
import { HELP as FILES, OPTIONS, RUNTIME_HELP, RUNTIME_OPTIONS, UsageError, ask, guarded, read } from "./project.mjs";
import { isIntact } from "./verify.mjs";

const HELP = `npx @vestibule-auth/edge check [FILE] [options]

Says everything that the Worker would refuse about a configuration, with file, line and column, before it is deployed.
FILE is wrangler.toml, wrangler.json, wrangler.jsonc, vestibule.toml, or the folder with them; this folder without it. What
another file is, its keys say.
Ends with 1 if there is a mistake; advice alone is none. Without --live nothing is sent over the network. Where the
configuration is [vars.AUTH], wrangler can check it before each deployment:

  [build]
  command = "npx @vestibule-auth/edge check --errors-only"

With a mistake nothing is deployed. \`wrangler dev\` goes on, and its Worker shows the mistake in the browser.

  --errors-only      print nothing but mistakes, ask for no secrets, and compare this package with its checksums: for [build]
  --json             print the findings as JSON
  --live             ask the providers, too: metadata, keys, the redirect URI, the clock; and whether the origin answers
                     around the Worker
  --site URL         an address of the site, for --live; may be given several times
${RUNTIME_HELP}
${FILES}
`;

/** The rounds of requests: metadata, then what they name. */
const MAX_ROUNDS = 8;

/** `check`. Gives the exit code. */
export function run(args) {
  return guarded("check", async () => {
    const options = {
      ...OPTIONS,
      ...RUNTIME_OPTIONS,
      "errors-only": { type: "boolean" },
      json: { type: "boolean" },
      live: { type: "boolean" },
      site: { type: "string", multiple: true },
    };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    if (positionals.length > 1) throw new UsageError("name one file or folder");
    if (values.site !== undefined && !values.live) throw new UsageError("--site is for --live");
    const isForBuild = values["errors-only"] === true;
    if (isForBuild && values.json) throw new UsageError("--errors-only and --json exclude each other");
    // The Worker of a damaged package must not be deployed.
    if (isForBuild && !(await isIntact())) return 1;
    const input = read(positionals[0] ?? ".", values);
    if (isForBuild) input.may_lack_secrets = true;
    const { report, text, errors } = values.live ? await live(input, values.site ?? []) : await ask("check", { input });
    if (isForBuild) process.stderr.write(errors);
    else process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : text);
    // `wrangler dev` would end: its Worker shows the mistakes in the browser, and the next change may mend them.
    const isShown = isForBuild && process.env.WRANGLER_COMMAND === "dev";
    return report.errors > 0 && !isShown ? 1 : 0;
  });
}

async function live(input, sites) {
  const answers = {};
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const step = await ask("live", { input, sites, answers });
    if (step.probes === undefined) return step;
    const received = await send(step.probes);
    step.probes.forEach((probe, at) => {
      answers[probe.id] = received[at];
    });
  }
  return ask("check", { input });
}
