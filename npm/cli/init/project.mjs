import { randomBytes } from "node:crypto";
import { FRAMEWORKS } from "./answers.mjs";
import { loginHosts, upstream, vestibuleToml } from "./configuration.mjs";
import { examples, providers } from "./templates.mjs";
import { Table, tables, text } from "./toml.mjs";

/** The module that `wrangler` deploys: the package's Worker with the configuration of this folder. */
const WORKER = `import { createWorker, RefreshLease } from "@vestibule-auth/edge";
import config from "./vestibule.config.js";

export default createWorker(config);
export { RefreshLease };
`;

/** What git must not have: secrets, what wrangler keeps, and what is made of vestibule.toml. */
export const IGNORED = [".dev.vars", ".wrangler/", "node_modules/", "vestibule.config.js"];

/** The files for these answers, in the order in which they are written: their names and what is in them. */
export function files(answers) {
  return {
    "vestibule.toml": vestibuleToml(answers),
    "worker.js": WORKER,
    "wrangler.toml": wranglerToml(answers, { isForDevelopment: false }),
    ...(needsOwnDevelopment(answers)
      ? { "wrangler.dev.toml": wranglerToml(answers, { isForDevelopment: true }) }
      : {}),
    ".dev.vars": devVars(answers),
  };
}

/** Whether the Worker on a developer's machine needs a configuration of its own: another app behind it, and no routes. */
export function needsOwnDevelopment({ origin, hosts }) {
  return origin === "origin" || hosts.length > 0;
}

/** The names of the secrets that a deployment needs beside AUTH_SECRET. */
export function secretsOf({ provider }) {
  if (provider === undefined) return [];
  const name = provider.toUpperCase().replaceAll("-", "_");
  return providers[provider]?.secrets ?? [`AUTH_${name}_ID`, `AUTH_${name}_SECRET`];
}

/** The redirect URIs to register at the provider. */
export function redirectUris({ provider, hosts }) {
  if (provider === undefined) return [];
  const origins = [...loginHosts(hosts).map((host) => `https://${host}`), "http://localhost:8787"];
  return origins.map((origin) => `${origin}/auth/callback/${provider}`);
}

function wranglerToml(answers, { isForDevelopment }) {
  const example = examples["credentials-api"];
  const [date] = example.match(/^compatibility_date = .*$/m);
  const head = [`name = ${text(answers.name)}`, 'main = "worker.js"', date];
  if (!isForDevelopment && answers.hosts.length > 0) {
    head.push(`routes = [${answers.hosts.map((host) => route(host, answers)).join(", ")}]`);
    head.push("workers_dev = false".padEnd(46) + " # no second address at workers.dev");
  }
  const of = (name) => tables(example).filter((table) => table.name === name);
  const parts = [
    new Table("build", false, [])
      .set("command", '"npx @vestibule-auth/edge compile"', "vestibule.toml becomes a module")
      .set("watch_dir", '"vestibule.toml"', "and again when it changes"),
    ...of("kv_namespaces"),
    ...of("durable_objects.bindings"),
    ...of("migrations"),
    ...loginLimits(answers),
    ...bindings(answers),
  ];
  if (isForDevelopment) parts.push(...developmentUpstreams(answers));
  else parts.push(new Table("observability", false, ["enabled = true"]));
  const about = isForDevelopment
    ? "# The Worker on this machine, in front of the app on this machine: npx wrangler dev --config wrangler.dev.toml"
    : "# The Worker that is deployed: npx wrangler deploy. What it does is in vestibule.toml.";
  return [about, head.join("\n"), ...parts.map((table) => table.text())].map((part) => `${part}\n`).join("\n");
}

/** A host in front of an app that is a Worker or files has no server of its own: wrangler makes its DNS record. */
function route(host, { origin }) {
  const isOwn = origin === "origin" || origin.includes("://");
  return isOwn ? text(`${host}/*`) : `{ pattern = ${text(host)}, custom_domain = true }`;
}

/** Counts attempts to guess a password in a whole location, and not in each process (docs/credentials.md). */
function loginLimits({ api }) {
  if (api === undefined) return [];
  const limits = [["AUTH_LOGIN_LIMIT", "1002", 10], ["AUTH_LOGIN_LIMIT_LOOSE", "1003", 100]];
  return limits.map(([name, namespace, limit]) =>
    new Table("ratelimits", true, [])
      .set("name", text(name))
      .set("namespace_id", text(namespace), "any number that no other limiter of your account has")
      .set("simple", `{ limit = ${limit}, period = 60 }`),
  );
}

function bindings({ origin }) {
  if (origin.startsWith("service:")) {
    const service = text(origin.slice("service:".length));
    return [new Table("services", true, []).set("binding", '"APP"').set("service", service)];
  }
  if (origin.startsWith("assets:")) {
    const directory = text(origin.slice("assets:".length));
    return [
      new Table("assets", false, []).set("directory", directory).set("binding", '"ASSETS"').set("run_worker_first", "true"),
    ];
  }
  return [];
}

/** `"origin"` is the Worker itself on a developer's machine, so there the app has its own address. */
function developmentUpstreams(answers) {
  if (answers.origin !== "origin") return [];
  const { framework } = answers;
  const at = FRAMEWORKS[framework]?.dev ?? "http://localhost:3000";
  const own = upstream({ ...answers, origin: at }).set("to", text(at), "where the app listens");
  return [new Table("vars.AUTH.upstreams", true, own.lines)];
}

/** Secrets for this machine. The deployed Worker gets its own by `wrangler secret put`. */
function devVars(answers) {
  const lines = [
    "# Secrets for this machine. The deployed Worker gets others, by `npx wrangler secret put`. Never commit this file.",
    `AUTH_SECRET="${secret()}"`,
  ];
  const names = secretsOf(answers);
  if (names.length > 0) lines.push(`# What ${answers.provider} gave you for this client:`);
  lines.push(...names.map((name) => `${name}=""`));
  return `${lines.join("\n")}\n`;
}

/** As `openssl rand -base64 33` makes it. */
export function secret() {
  return randomBytes(33).toString("base64");
}
