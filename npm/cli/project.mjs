// Reads the files of a configuration, and runs the checks, which are WebAssembly.

import { closeSync, existsSync, openSync, readSync, statSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";

/** In bytes. No configuration is larger; a file that is was named by mistake. */
const MAX_FILE = 1024 * 1024;

/** The names of a wrangler file, in the order in which wrangler looks for them. */
const WRANGLER = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

/** The configuration in its own file. */
const OWN = "vestibule.toml";

/** What it is compiled into. */
export const COMPILED = "vestibule.config.js";

/** A mistake on the command line, or a file that cannot be read. */
export class UsageError extends Error {}

/** Where a configuration can be meant to run, and the stores that a component can be built for. */
const RUNTIMES = ["workers", "native", "wasi"];
const STORES = ["redis", "keyvalue", "none"];

/** The options of a command that knows other runtimes, too. */
export const RUNTIME_OPTIONS = { runtime: { type: "string" }, store: { type: "string" } };

/** What these do, for `--help`. */
export const RUNTIME_HELP = `  --runtime NAME     where it is to run: workers, native (a server of your own) or wasi; workers without this. Elsewhere
                     than on Workers the file is the configuration itself, and no wrangler file counts
  --store STORE      with --runtime wasi, the store that the component is built for: redis, keyvalue or none; redis
                     without this`;

/** The options of every command that reads a configuration, for `parseArgs`. */
export const OPTIONS = {
  env: { type: "string" },
  "dev-vars": { type: "string" },
  secrets: { type: "string" },
  help: { type: "boolean", short: "h" },
};

/** What these options do, for `--help`. */
export const HELP = `  --env NAME         the environment of the wrangler file
  --dev-vars FILE    this machine's secrets; .dev.vars beside the configuration without this
  --secrets FILE     the names of the deployed Worker's secrets: the output of \`wrangler secret list\``;

/** The files of a configuration: the one that was named and those beside it; of a directory, those in it. */
export function read(named, options) {
  const runtime = runtimeOf(options);
  if (runtime !== "workers") return elsewhere(named, runtime, options);
  const { directory, wrangler, own, unknown } = find(named);
  if (wrangler === undefined && own === undefined && unknown === undefined) {
    throw new UsageError(`${directory} has neither a wrangler.toml nor a ${OWN}`);
  }
  const input = {};
  if (unknown !== undefined) input.named = file(unknown);
  if (wrangler !== undefined) input.wrangler = file(wrangler);
  if (own !== undefined) {
    input.vestibule = file(own);
    const compiled = compiledBeside(own);
    if (compiled !== undefined) input.compiled = compiled;
  }
  const secrets = options["dev-vars"] ?? devVars(directory, options.env);
  if (secrets !== undefined) input.dev_vars = file(secrets);
  if (options.secrets !== undefined) input.secrets = names(options.secrets);
  if (options.env !== undefined) input.environment = options.env;
  return input;
}

/** Where it is to run, as the checks take it. */
function runtimeOf({ runtime = "workers", store }) {
  if (!RUNTIMES.includes(runtime)) throw new UsageError(`--runtime: there is no ${JSON.stringify(runtime)}; write ${RUNTIMES.join(", ")}`);
  if (store !== undefined && runtime !== "wasi") throw new UsageError("--store is for --runtime wasi");
  if (store !== undefined && !STORES.includes(store)) {
    throw new UsageError(`--store: there is no ${JSON.stringify(store)}; write ${STORES.join(", ")}`);
  }
  return runtime === "wasi" ? { wasi: store ?? "redis" } : runtime;
}

/** The configuration of a runtime that is not Workers: a file of any name. Its secrets are where it starts. */
function elsewhere(named, runtime, options) {
  for (const name of ["env", "dev-vars", "secrets", "live"]) {
    if (options[name] !== undefined) throw new UsageError(`--${name} is for --runtime workers`);
  }
  const isFolder = existsSync(named) && statSync(named).isDirectory();
  return { vestibule: file(isFolder ? join(named, OWN) : named), runtime, may_lack_secrets: true };
}

/** The answer of one of the checks. */
export async function ask(name, call) {
  const core = await import("./core.js");
  const answer = JSON.parse(core[name](JSON.stringify(call)));
  if (answer.failure !== undefined) throw new Error(answer.failure);
  return answer;
}

/** Runs a command, and gives its exit code. A mistake on the command line is a message. */
export async function guarded(name, command) {
  try {
    return await command();
  } catch (error) {
    const isUsage = error instanceof UsageError || String(error.code).startsWith("ERR_PARSE_ARGS");
    if (!isUsage && error.code === undefined) throw error;
    process.stderr.write(`${name}: ${error.message}\n`);
    return 2;
  }
}

function find(named) {
  const inside = (directory, name) => {
    const path = join(directory, name);
    return existsSync(path) && statSync(path).isFile() ? path : undefined;
  };
  const wranglerOf = (directory) => WRANGLER.map((name) => inside(directory, name)).find(Boolean);
  const isFolder = existsSync(named) && statSync(named).isDirectory();
  const directory = isFolder ? named : dirname(named);
  const found = { directory, wrangler: wranglerOf(directory), own: inside(directory, OWN) };
  if (isFolder) return found;
  if (basename(named) === OWN) return { ...found, own: named };
  if (WRANGLER.includes(basename(named))) return { ...found, wrangler: named };
  // Its keys say what it is, and both may be beside it.
  return { ...found, unknown: named };
}

/** The compiled module, if there is one. What cannot be read is nothing that was compiled. */
function compiledBeside(own) {
  const path = join(dirname(own), COMPILED);
  if (!existsSync(path)) return undefined;
  try {
    return file(path);
  } catch {
    return undefined;
  }
}

/** `.dev.vars.ENV` or `.dev.vars`, as wrangler chooses. */
export function devVars(directory, environment) {
  const wanted = environment === undefined ? [] : [`.dev.vars.${environment}`];
  return [...wanted, ".dev.vars"].map((name) => join(directory, name)).find((path) => existsSync(path));
}

/** A file as the checks take it: its name and its text. */
export function file(path) {
  const name = normalize(path);
  const bytes = bounded(path, name);
  try {
    return { name, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    throw new UsageError(`${name} is not UTF-8, so it is no configuration`);
  }
}

function bounded(path, name) {
  const buffer = Buffer.alloc(MAX_FILE + 1);
  let length = 0;
  let opened;
  try {
    opened = openSync(path, "r");
    for (let read = 1; read > 0 && length < buffer.length; length += read) {
      read = readSync(opened, buffer, length, buffer.length - length, null);
    }
  } catch (error) {
    throw new UsageError(`cannot read ${name}: ${error.message}`);
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
  if (length > MAX_FILE) throw new UsageError(`${name} is larger than 1 MiB, so it is no configuration`);
  return buffer.subarray(0, length);
}

function names(path) {
  const { text } = file(path);
  let list;
  try {
    list = JSON.parse(text);
  } catch {
    throw new UsageError(`${path} is not the JSON that \`wrangler secret list\` prints`);
  }
  return Array.isArray(list) ? list.map((item) => item?.name).filter((name) => typeof name === "string") : [];
}
