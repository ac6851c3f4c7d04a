import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { UsageError, ask, devVars, file, guarded } from "./project.mjs";

const HELP = `npx @vestibule-auth/edge who [USERS] [options]

Says which user a hash in the audit log is. USERS is a file with the users that it may be, one PROVIDER:SUB in a line; the
standard input without it. Ends with 1 if it is none of them. Sends nothing over the network.

The session secrets that it tries, all that are set: AUTH_SECRET, AUTH_SECRET_1, AUTH_SECRET_2, AUTH_SECRET_3. They come from
the first of these that there is. No option takes a secret: others on this machine could see it.

  --secret-stdin     the standard input, one secret in a line; USERS is a file then
  --dev-vars FILE    a file such as .dev.vars
                     the environment
                     .dev.vars in this folder

  --hash HASH        the hash, the line's \`subject\`; without it, every user is printed with the hash

For example: npx @vestibule-auth/edge who users.txt --hash lqxcPcpQ7fD2RkG4bWc2nA --secret-stdin < secret.txt
`;

/** In bytes. A user is some fifty. */
const MAX_INPUT = 256 * 1024 * 1024;

const SECRETS = ["AUTH_SECRET", "AUTH_SECRET_1", "AUTH_SECRET_2", "AUTH_SECRET_3"];

/** `who`. Gives the exit code. */
export function run(args) {
  return guarded("who", async () => {
    const options = {
      hash: { type: "string" },
      "secret-stdin": { type: "boolean" },
      "dev-vars": { type: "string" },
      help: { type: "boolean", short: "h" },
    };
    const { values, positionals } = parseArgs({ args: joined(args), options, allowPositionals: true });
    if (values.help) {
      process.stdout.write(HELP);
      return 0;
    }
    if (positionals.length > 1) throw new UsageError("name one file of users");
    const [users] = positionals;
    if (values["secret-stdin"] && users === undefined) {
      throw new UsageError("with --secret-stdin the users are in a file: name it");
    }
    const secrets = await known(values);
    const list = users === undefined ? await standardInput() : textOf(users);
    const { text, problem } = await ask("who", { ...secrets, hash: values.hash ?? null, users: list });
    if (problem !== undefined) {
      process.stderr.write(`who: ${problem}\n`);
      return 1;
    }
    process.stdout.write(text);
    return 0;
  });
}

/** A hash may begin with a dash, which `parseArgs` takes for an option unless it is one word with `--hash=`. */
function joined(args) {
  const at = args.indexOf("--hash");
  if (at < 0 || at + 1 >= args.length) return args;
  return [...args.slice(0, at), `--hash=${args[at + 1]}`, ...args.slice(at + 2)];
}

/** The secrets, or the file that they are in. */
async function known({ "secret-stdin": isOnInput, "dev-vars": named }) {
  if (isOnInput) return { secrets: (await standardInput()).split(/\r?\n/).filter((line) => line !== "") };
  if (named !== undefined) return { dev_vars: file(named) };
  const set = SECRETS.map((name) => process.env[name]).filter((secret) => secret !== undefined && secret !== "");
  if (set.length > 0) return { secrets: set };
  const path = devVars(".");
  return path === undefined ? {} : { dev_vars: file(path) };
}

function textOf(path) {
  try {
    return new TextDecoder().decode(readFileSync(path));
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${error.message}`);
  }
}

async function standardInput() {
  const chunks = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    size += chunk.length;
    if (size > MAX_INPUT) throw new UsageError("the standard input is larger than 256 MiB");
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}
