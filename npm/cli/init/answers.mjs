import { providers } from "./templates.mjs";

/** A mistake in what was asked for, said in one line. */
export class UsageError extends Error {}

/** What `init` knows of a framework: where it listens on a developer's machine, and what anyone may fetch from it. */
export const FRAMEWORKS = {
  nextjs: { dev: "http://localhost:3000", isPublic: ["/_next/static/:path*"], language: "js" },
  express: { dev: "http://localhost:3000", isPublic: [], language: "js" },
  hono: { dev: "http://localhost:3000", isPublic: [], language: "js" },
  nestjs: { dev: "http://localhost:3000", isPublic: [], language: "js" },
  remix: { dev: "http://localhost:3000", isPublic: ["/assets/:path*"], language: "js" },
  sveltekit: { dev: "http://localhost:5173", isPublic: ["/_app/immutable/:path*"], language: "js" },
  django: { dev: "http://localhost:8000", isPublic: ["/static/:path*"], language: "python" },
  spa: { dev: "http://localhost:3000", isPublic: [], language: "js" },
};

/** The names under which people know them, too. */
const ALIASES = { next: "nextjs", "react-router": "remix", svelte: "sveltekit", nest: "nestjs" };

/** The app: the name of a framework, or where it is. */
export function app(written) {
  const framework = ALIASES[written] ?? written;
  if (Object.hasOwn(FRAMEWORKS, framework)) return { framework, origin: "origin" };
  if (written === "origin") return { framework: undefined, origin: written };
  const target = written.match(/^(service|assets):(.+)$/s);
  if (target !== null) {
    if (target[1] === "service" && !/^[a-z0-9][a-z0-9-]{0,62}$/.test(target[2])) {
      throw new UsageError(`${quoted(target[2])} is no name of a Worker`);
    }
    return { framework: undefined, origin: written };
  }
  if (!written.includes("://")) {
    const known = Object.keys(FRAMEWORKS).join(", ");
    throw new UsageError(
      `${quoted(written)} is neither a framework (${known}) nor where the app is: https://…, origin, service:WORKER or assets:FOLDER`,
    );
  }
  const url = address(written, "the app's address");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw new UsageError(`the app's address is an origin, without a path: ${quoted(url.origin)}`);
  }
  return { framework: undefined, origin: url.origin };
}

/** The provider: its `id`, or the address of the login of an API. */
export function signIn(written) {
  if (written.includes("://")) return { api: address(written, "the API's address").href };
  if (!/^[a-z0-9][a-z0-9-]{0,39}$/.test(written)) {
    throw new UsageError(`${quoted(written)} is no id of a provider: small letters, digits and dashes`);
  }
  return { provider: written };
}

/** Whether the provider needs an issuer that only its user knows. */
export function needsIssuer(provider) {
  const preset = providers[provider];
  return preset === undefined || preset.example?.issuer !== undefined;
}

export function issuer(written) {
  address(written, "the issuer");
  // As it is written: an issuer is compared to the letter.
  return written;
}

/** Hosts, with commas or spaces between them. */
export function hosts(written) {
  const names = list(written).map((name) => name.toLowerCase());
  for (const name of names) {
    const isHost = /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]$/.test(name);
    if (!isHost) throw new UsageError(`${quoted(name)} is no host name such as app.example.com`);
  }
  return [...new Set(names)];
}

/** Patterns of public paths, with commas or spaces between them. */
export function publicPaths(written) {
  const paths = list(written);
  for (const path of paths) {
    if (!path.startsWith("/")) throw new UsageError(`${quoted(path)} is no path: it has to begin with /`);
  }
  return [...new Set(paths)];
}

function list(written) {
  return written.split(/[\s,]+/).filter((part) => part !== "");
}

function address(written, what) {
  let url;
  try {
    url = new URL(written);
  } catch {
    throw new UsageError(`${what} is no URL: ${quoted(written)}`);
  }
  const isLocal = /^(localhost|.*\.localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) {
    throw new UsageError(`${what} has to be https, or http on this machine: ${quoted(written)}`);
  }
  if (url.username !== "" || url.password !== "") throw new UsageError(`${what} must not have a password in it`);
  return url;
}

/** A text of the user on one line. */
export function quoted(text) {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
