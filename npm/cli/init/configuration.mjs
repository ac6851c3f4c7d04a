import { FRAMEWORKS } from "./answers.mjs";
import { examples, providers } from "./templates.mjs";
import { Table, tables, text, textOrList } from "./toml.mjs";

/** The address of the app and of the API in the examples. */
const DEMO = "http://localhost:9401";
/** The audience of the assertions that an app in JavaScript verifies: docs/typescript.md. */
export const AUDIENCE = "app";

/** The name of the example that is the template for these answers. */
export function templateOf({ framework, api }) {
  if (api === undefined) return framework === "spa" ? "auth0-spa" : "okta-nextjs";
  if (framework === "django") return "django-subdomains";
  return framework === "nestjs" ? "nestjs-cookies" : "credentials-api";
}

/** What `vestibule.toml` has below the first line. */
export function vestibuleToml(answers) {
  const all = tables(examples[templateOf(answers)])
    .filter((table) => table.name === "vars.AUTH" || table.name.startsWith("vars.AUTH."))
    .map((table) => new Table(table.name.replace(/^vars\.AUTH\.?/, ""), table.isOneOfSeveral, table.lines));
  const of = (name) => all.filter((table) => table.name === name);
  const active = [root(of("")[0], answers), ...cookies(answers), ...of("session").map(session), ...lease(of("refresh"), answers)];
  const later = [...of("claims")];
  active.push(...(answers.api === undefined ? [provider(of("providers")[0], answers)] : api(all, answers)));
  const rules = of("rules").filter((rule) => !isPublic(rule));
  active.push(...publicRule(answers));
  for (const rule of rules) {
    const own = forwarded(rule, answers);
    (own === undefined ? later : active).push(own ?? rule);
  }
  active.push(upstream(answers));
  return [
    "#:schema ./node_modules/@vestibule-auth/edge/configuration.schema.json\n" +
      "# Who signs people in, who may see what, and where requests go.",
    ...active.map((table) => table.text()),
    later.length === 0 ? "" : "# Claims, and pages for some users. Take the marks off where your provider says these claims.",
    ...later.map((table) => table.replace(DEMO, "https://api.example.com").replace(".localhost", ".com").text(true)),
  ]
    .filter((part) => part !== "")
    .map((part) => `${part}\n`)
    .join("\n");
}

/** The domain that several hosts share, for one session of all; `undefined` if there is none. */
export function sharedDomain(hosts) {
  if (hosts.length < 2) return undefined;
  const [first, ...others] = hosts.map((host) => host.split(".").reverse());
  let length = 0;
  while (length < first.length && others.every((labels) => labels[length] === first[length])) length += 1;
  return length < 2 ? undefined : first.slice(0, length).reverse().join(".");
}

/** The hosts at which people sign in: one for all where the hosts share a domain. */
export function loginHosts(hosts) {
  return sharedDomain(hosts) === undefined ? hosts : hosts.slice(0, 1);
}

function root(table, { hosts, publicPaths, framework }) {
  table.remove("base_path", "login_url");
  const isOpen = framework === "spa" && publicPaths.length === 0;
  table.set("default_access", isOpen ? '"public"' : '"signed-in"', "where no rule matches");
  if (sharedDomain(hosts) !== undefined) {
    table.set("login_url", text(`https://${hosts[0]}`), "people sign in here, for all hosts");
  }
  return table;
}

function cookies({ hosts }) {
  const domain = sharedDomain(hosts);
  if (domain === undefined) return [];
  return [new Table("cookies", false, []).set("domain", text(domain), "one session for all hosts")];
}

function session(table) {
  return table.disable("expose");
}

/** A lock for refresh tokens, where each of them works once. */
function lease(tables, { provider }) {
  if (provider === undefined || providers[provider]?.strictRotation !== true) return tables;
  return [new Table("refresh", false, ['lease = "durable-object"'])];
}

function provider(table, { provider: id, issuer }) {
  const preset = providers[id];
  table.remove("authorization_params", "logout").set("id", text(id));
  if (issuer !== undefined) table.set("issuer", text(issuer));
  else {
    table.remove("issuer");
    for (const [key, value] of Object.entries(preset?.example ?? {})) table.set(key, text(value), "replace it with yours");
  }
  if (preset !== undefined && preset.asksForRefreshToken !== true) table.remove("scope");
  else table.set("scope", '"openid profile email offline_access"', "offline_access: a refresh token");
  if (preset === undefined) table.set("type", '"oidc"').set("name", text(id));
  return table;
}

/** The provider of an API of one's own: the requests of the example, at the address of the answer. */
function api(all, { api }) {
  const url = new URL(api);
  const own = all.filter((table) => table.name === "providers" || table.name.startsWith("providers."));
  for (const table of own) table.replace(DEMO, text(url.origin).slice(1, -1));
  const login = own.find((table) => table.name === "providers.login");
  if (url.pathname !== "/") login.set("url", text(url.href));
  // A key of the API is a secret that only some APIs want.
  login.disable("headers");
  return own;
}

function isPublic(rule) {
  return rule.lines.some((line) => /^access\s*=\s*"public"/.test(line));
}

function publicRule({ publicPaths, framework }) {
  const all = [...publicPaths, ...(FRAMEWORKS[framework]?.isPublic ?? [])];
  if (all.length === 0) return [];
  return [new Table("rules", true, []).set("match", textOrList(all)).set("access", '"public"')];
}

/** A rule that forwards to an API, where the answers say which one. */
function forwarded(rule, { api, framework, origin }) {
  if (!rule.has("to") || rule.has("require")) return undefined;
  const own = rule.copy().remove("host", "headers");
  if (api !== undefined) return own.set("to", text(new URL(api).origin));
  if (framework !== "spa" || origin.startsWith("assets:")) return undefined;
  return own.set("to", text(targetOf(origin)));
}

/** Where everything goes that no rule sends elsewhere. */
export function upstream(answers) {
  const { framework, origin } = answers;
  const [table] = tables(examples[templateOf(answers)])
    .filter(({ name }) => name === "vars.AUTH.upstreams")
    .map(({ lines }) => new Table("upstreams", true, lines));
  table.remove("headers").set("to", text(targetOf(origin)));
  if (framework === "nextjs") table.set("framework", '"nextjs"', "its server functions need a session, too");
  if (framework === "nextjs") table.disable("forward_session");
  else table.remove("forward_session");
  if (!origin.startsWith("assets:")) table.set("assertion", text(AUDIENCE), "who it is, signed");
  return table;
}

/** The value of `to`: bindings have the names that wrangler.toml gives them. */
export function targetOf(origin) {
  if (origin.startsWith("service:")) return "service:APP";
  return origin.startsWith("assets:") ? "assets:ASSETS" : origin;
}
