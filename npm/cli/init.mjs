import { mkdirSync } from "node:fs";
import { basename, isAbsolute, relative, resolve, sep } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import * as answers from "./init/answers.mjs";
import { templateOf } from "./init/configuration.mjs";
import { ignore, write } from "./init/files.mjs";
import { IGNORED, files, needsOwnDevelopment, redirectUris, secretsOf } from "./init/project.mjs";
import { providers } from "./init/templates.mjs";

const { FRAMEWORKS, UsageError } = answers;

const HELP = `npx @vestibule-auth/edge init [options]

Writes wrangler.toml, vestibule.toml, worker.js and .dev.vars into this folder. Without options it asks four questions.

  --framework NAME   the app: ${Object.keys(FRAMEWORKS).join(", ")}
  --origin WHERE     where it is, if not at the server that the host's DNS record names:
                     https://…, http://localhost:PORT, service:WORKER or assets:FOLDER
  --provider ID      who signs people in: okta, auth0, google, … (docs/providers.md), or an id of your own
  --issuer URL       the provider's issuer
  --api URL          or the login of an API of your own, for example https://api.example.com/login
  --host NAMES       the hosts, with commas between them; the first one is where people sign in
  --public PATHS     what anyone may see, with commas between them, for example "/,/about"
  --name NAME        the Worker's name
  --dir FOLDER       another folder than this one
  --yes              ask nothing: what no option says has its default
  --force            replace files that init wrote and nobody has changed
`;

/** wrangler would read a configuration with one of these names in place of ours. */
const BLOCKING = ["wrangler.json", "wrangler.jsonc"];

/** `init`. Gives the exit code. */
export async function run(args, io = process) {
  try {
    const options = read(args);
    if (options.help === true) {
      io.stdout.write(HELP);
      return 0;
    }
    const folder = resolve(options.dir ?? ".");
    const given = await ask(options, io);
    refuseToPublish(given.origin, folder);
    given.name = options.name ?? nameOf(given.hosts[0] ?? basename(folder));
    mkdirSync(folder, { recursive: true });
    const wanted = files(given);
    write(folder, wanted, { isForced: options.force === true, blocking: BLOCKING });
    const ignored = ignore(folder, IGNORED);
    io.stdout.write(report(given, Object.keys(wanted), ignored, options));
    return 0;
  } catch (error) {
    const isUsage = error instanceof UsageError || String(error.code).startsWith("ERR_PARSE_ARGS");
    // Anything else with a code is the file system's.
    if (!isUsage && error.code === undefined) throw error;
    io.stderr.write(`init: ${error.message}\n`);
    return isUsage ? 2 : 1;
  }
}

function read(args) {
  const text = { type: "string" };
  const several = { type: "string", multiple: true };
  const { values } = parseArgs({
    args,
    options: {
      framework: text,
      origin: text,
      provider: text,
      issuer: text,
      api: text,
      host: several,
      public: several,
      name: text,
      dir: text,
      yes: { type: "boolean", short: "y" },
      force: { type: "boolean" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.provider !== undefined && values.api !== undefined) {
    throw new UsageError("--provider and --api exclude each other: people sign in at one of them");
  }
  if (values.name !== undefined && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(values.name)) {
    throw new UsageError(`--name: ${answers.quoted(values.name)} is no name of a Worker: small letters, digits and dashes`);
  }
  return values;
}

/** The answers to the four questions: from the options, else asked, else with `--yes` their defaults. */
async function ask(options, io) {
  const questions = options.yes === true ? undefined : new Questions(io);
  try {
    const about = async (written, question, otherwise, parse) => {
      if (written !== undefined) return parse(written);
      if (questions !== undefined) return await questions.ask(question, otherwise, parse);
      if (otherwise === undefined) throw new UsageError(`with --yes an option has to say: ${question}`);
      return parse(otherwise);
    };
    const frameworks = Object.keys(FRAMEWORKS).join(", ");
    const app = await about(options.framework ?? options.origin, `Your app (${frameworks}), or where it is`, "origin", answers.app);
    if (options.framework !== undefined) {
      if (app.framework === undefined) throw new UsageError(`--framework is one of ${frameworks}`);
      if (options.origin !== undefined) app.origin = answers.app(options.origin).origin;
    }
    const who = await about(
      options.provider ?? options.api,
      "Who signs people in: a provider such as okta, or the address of your API's login",
      undefined,
      answers.signIn,
    );
    if (options.provider !== undefined && who.provider === undefined) throw new UsageError("--provider is an id; an address is --api");
    if (options.api !== undefined && who.api === undefined) throw new UsageError("--api is an address such as https://api.example.com/login");
    if (who.provider !== undefined && (options.issuer !== undefined || answers.needsIssuer(who.provider))) {
      const example = providers[who.provider]?.example?.issuer ?? "https://login.example.com";
      who.issuer = await about(options.issuer, `Its issuer (--issuer), such as ${example}`, undefined, answers.issuer);
    }
    const hosts = await about(options.host?.join(","), "Your hosts, such as app.example.com", "", answers.hosts);
    const isOpen = app.framework === "spa";
    const publicPaths = await about(options.public?.join(","), "What anyone may see", isOpen ? "" : "/", answers.publicPaths);
    return { ...app, ...who, hosts, publicPaths };
  } finally {
    questions?.close();
  }
}

/** Questions on a terminal, or with the lines of a file as answers. */
class Questions {
  constructor({ stdin, stdout }) {
    this.output = stdout;
    this.isTerminal = stdin.isTTY === true;
    this.lines = createInterface({ input: stdin });
    this.answers = this.lines[Symbol.asyncIterator]();
  }

  async ask(question, otherwise, parse) {
    for (;;) {
      this.output.write(`${question}${otherwise ? ` [${otherwise}]` : ""}: `);
      const { value, done } = await this.answers.next();
      if (done) throw new UsageError(`no answer to: ${question}`);
      const answer = value.trim() === "" ? otherwise : value.trim();
      try {
        if (answer === undefined) throw new UsageError("this needs an answer");
        return parse(answer);
      } catch (error) {
        // Answers of a file are not asked for again: the next line answers another question.
        if (!(error instanceof UsageError) || !this.isTerminal) throw error;
        this.output.write(`  ${error.message}\n`);
      }
    }
  }

  close() {
    this.lines.close();
  }
}

/** Fails if the files that anyone may fetch would include those that `init` writes: a secret is among them. */
function refuseToPublish(origin, folder) {
  if (!origin.startsWith("assets:")) return;
  const way = relative(resolve(folder, origin.slice("assets:".length)), folder);
  if (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way)) {
    throw new UsageError(`${answers.quoted(origin)} would publish .dev.vars and its secrets: name a folder with the files alone`);
  }
}

function nameOf(text) {
  const name = text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 63);
  return /^[a-z0-9]/.test(name) ? name.replace(/-+$/, "") : "vestibule";
}

/** What was written, and what is left to do. */
function report(given, names, ignored, { dir }) {
  const dev = needsOwnDevelopment(given) ? "npx wrangler dev --config wrangler.dev.toml" : "npx wrangler dev";
  const secrets = secretsOf(given);
  const uris = redirectUris(given);
  const lines = [`Written, from the example ${templateOf(given)}: ${names.join(", ")}`];
  if (ignored.length > 0) lines.push(`Added to .gitignore: ${ignored.join(", ")}`);
  lines.push("");
  if (uris.length > 0) {
    lines.push(`Register at ${given.provider}, to the letter, as redirect URI:`, ...uris.map((uri) => `  ${uri}`), "");
  }
  if (secrets.length > 0) lines.push(`Then put into .dev.vars what it gives you: ${secrets.join(", ")}`, "");
  if (given.api !== undefined) {
    lines.push("Compare the requests and answers of your API with [providers.login] in vestibule.toml.", "");
  }
  lines.push("On this machine:");
  if (dir !== undefined) lines.push(`  cd ${/^[\w./-]+$/.test(dir) ? dir : answers.quoted(dir)}`);
  lines.push(
    "  npm install --save-exact @vestibule-auth/edge",
    "  npm install --save-dev --save-exact wrangler",
    "  npx @vestibule-auth/edge check",
    `  ${dev}`,
    "",
    "To deploy, with another AUTH_SECRET than the one in .dev.vars:",
    "  npx wrangler secret put AUTH_SECRET",
    ...secrets.map((name) => `  npx wrangler secret put ${name}`),
    "  npx wrangler deploy",
  );
  return `${lines.join("\n")}\n`;
}
