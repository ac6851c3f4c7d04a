#!/usr/bin/env node
// The commands of the package: `npx @vestibule-auth/edge COMMAND`. Each is a module in ../cli with `run(args)`, which gives
// the exit code.

import { readFileSync } from "node:fs";

const COMMANDS = {
  init: "write a configuration into a folder",
  check: "say everything that the Worker would refuse, with file, line and column",
  explain: "say how the rules treat a request, or what each lets through for whom",
  compile: "make vestibule.config.js of vestibule.toml, if it has no mistake",
  who: "say which user a hash in the audit log is",
  verify: "compare the files of this package with their checksums",
};

/** The modules that do not have the name of their command. */
const MODULES = { who: "hashed-user" };

const list = Object.entries(COMMANDS).map(([name, about]) => `  ${name.padEnd(10)}${about}\n`);
const HELP = `npx @vestibule-auth/edge COMMAND [options]

${list.join("")}
COMMAND --help shows the options of a command; --version the version of the package.
`;

const [name, ...rest] = process.argv.slice(2);
process.exitCode = await main(name, rest);

async function main(name, rest) {
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    process.stdout.write(HELP);
    return name === undefined ? 2 : 0;
  }
  if (name === "--version") {
    const manifest = readFileSync(new URL("../package.json", import.meta.url), "utf8");
    process.stdout.write(`${JSON.parse(manifest).version}\n`);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    process.stderr.write(`there is no command ${JSON.stringify(name)}\n\n${HELP}`);
    return 2;
  }
  const { run } = await import(`../cli/${MODULES[name] ?? name}.mjs`);
  return run(rest);
}
