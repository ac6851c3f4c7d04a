import { parseArgs } from "node:util";
import { HELP as FILES, OPTIONS, RUNTIME_HELP, RUNTIME_OPTIONS, UsageError, ask, guarded, read } from "./project.mjs";

const HELP = `npx @vestibule-auth/edge explain METHOD URL [options]
npx @vestibule-auth/edge explain --table [options]

Says how the rules treat a request, and why. Sends nothing over the network and needs no secret.

  --claims JSON      the claims of a signed-in user; without this the user is signed out
  --header FIELD     a header field of the request, "NAME: VALUE"; may be given several times
  --table            print all rules and what each lets through for whom, instead of one request
  --json             print the table as JSON
  --config FILE      the file with the rules, or its folder; this folder without it
${RUNTIME_HELP}
${FILES}

For example: npx @vestibule-auth/edge explain GET https://app.example.com/admin --claims '{"roles": ["user"]}'
`;

/** `explain`. Gives the exit code. */
export function run(args) {
  return guarded("explain", async () => {
    const options = {
      ...OPTIONS,
      ...RUNTIME_OPTIONS,
      claims: { type: "string" },
      header: { type: "string", multiple: true },
      table: { type: "boolean" },
      json: { type: "boolean" },
      config: { type: "string", default: "." },
    };
    const { values, positionals } = parseArgs({ args, options, allowPositionals: true });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    const expected = values.table ? 0 : 2;
    if (positionals.length !== expected) {
      throw new UsageError(values.table ? "--table takes no request" : "name a method and a URL, or --table");
    }
    if (values.json && !values.table) throw new UsageError("--json is for --table");
    const input = read(values.config, values);
    const answer = values.table
      ? await ask("table", { input })
      : await ask("explain", { input, question: question(positionals, values) });
    if (answer.report !== undefined) {
      const place = values.runtime ?? "workers";
      process.stderr.write(`explain: the configuration has mistakes for --runtime ${place}\n${answer.text}`);
      return 1;
    }
    if (answer.decided) process.stderr.write(`${answer.decided}\n`);
    process.stdout.write(values.json ? `${JSON.stringify(answer.json)}\n` : answer.text);
    return 0;
  });
}

function question([method, url], { claims, header = [] }) {
  const headers = header.map((field) => {
    const colon = field.indexOf(":");
    if (colon < 0) throw new UsageError("--header: write `NAME: VALUE`; there is no colon");
    return [field.slice(0, colon).trim(), field.slice(colon + 1).trim()];
  });
  return { method, url, headers, claims: claimsOf(claims), now: Math.floor(Date.now() / 1000) };
}

function claimsOf(text) {
  if (text === undefined) return null;
  let claims;
  try {
    claims = JSON.parse(text);
  } catch {
    // The message below says what is expected.
  }
  if (typeof claims !== "object" || claims === null || Array.isArray(claims)) {
    throw new UsageError("--claims: this is not a JSON object");
  }
  return claims;
}
