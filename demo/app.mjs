// The demo's application, which runs behind Vestibule. It does not implement sign-in. It reads the user from the headers that
// Vestibule sets, and calls an API with the bearer token.
//
//   node demo/app.mjs [PORT]
//
// DEMO_APP_PORT   the port (9401); it listens on loopback only
// DEMO_API        the API that it calls with the bearer token (http://localhost:9400/me, the provider's userinfo)
// DEMO_BASE_PATH  Vestibule's base_path (/auth)
import { body, escape, port, serve } from "./serve.mjs";

const PORT = port("DEMO_APP_PORT", 9401);
const API = process.env.DEMO_API ?? "http://localhost:9400/me";
const BASE_PATH = process.env.DEMO_BASE_PATH ?? "/auth";
const LARGEST_BODY = 100 * 1024 * 1024;

const PAGES = {
  "/": ["Home", "Everybody sees this page and “About”. The dashboard asks you to sign in, the admin page for a role."],
  "/about": ["About", "This page is public too: a rule in wrangler.toml says so."],
  "/dashboard": ["Dashboard", "Only people who have signed in get here."],
  "/admin": ["Admin", "Only people whose roles contain “admin” get here."],
};

await serve("app", PORT, async (request, response) => {
  const { pathname } = new URL(request.url, "http://app");
  if (pathname === "/api/echo") return echo(request, response);
  const [title, text] = PAGES[pathname] ?? ["Not found", "The application has no such page."];
  const call = await callApi(request.headers.authorization);
  response.writeHead(pathname in PAGES ? 200 : 404, {
    "content-type": "text/html; charset=utf-8",
    "cache-control": "private, no-store",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'",
  });
  response.end(page(pathname, title, text, request.headers, call));
});

async function echo(request, response) {
  const { length } = await body(request, LARGEST_BODY);
  const { method, url, headers, rawHeaders } = request;
  response.writeHead(200, { "content-type": "application/json", "cache-control": "private, no-store" });
  response.end(JSON.stringify({ method, url, headers, raw_headers: rawHeaders, body_length: length }, null, 2));
}

// Calls the API with the user's token. The page shows only the token's claims.
async function callApi(authorization) {
  if (!authorization) return;
  try {
    const reply = await fetch(API, { headers: { authorization }, signal: AbortSignal.timeout(5000) });
    return { status: reply.status, body: await reply.text() };
  } catch (error) {
    return { status: "no answer", body: String(error.cause ?? error) };
  }
}

function page(path, title, text, headers, call) {
  const email = headers["x-user-email"];
  const links = Object.entries(PAGES).map(
    ([to, [name]]) => `<a href="${to}"${to === path ? ' aria-current="page"' : ""}>${escape(name)}</a>`,
  );
  const session = email
    ? `<a class="button" href="${BASE_PATH}/signout">Sign out</a>`
    : `<a class="button" href="${BASE_PATH}/signin?callbackUrl=${encodeURIComponent(path)}">Sign in</a>`;
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escape(title)} – Demo application</title>
<style>${STYLE}</style>
<header><strong>Demo application</strong><nav aria-label="Pages">${links.join("")}</nav>${session}</header>
<main>
<h1>${escape(title)}</h1>
<p>${escape(text)}</p>
${who(email, headers["x-user-roles"])}
${token(headers.authorization, call)}
<h2>Headers that arrived</h2>
${table(Object.entries(headers).map(([name, value]) => [name, shown(name, value)]))}
</main>
</html>
`;
}

function who(email, roles) {
  if (!email) return `<p class="card" id="user">No user: this request came without <code>X-User-Email</code>.</p>`;
  return `<p class="card" id="user">Signed in as <strong>${escape(email)}</strong>, roles: ${escape(roles ?? "none")}</p>`;
}

function token(authorization, call) {
  if (!authorization) return `<p class="card" id="token">No bearer token arrived.</p>`;
  const claims = claimsOf(authorization);
  return `<section class="card" id="token"><p>A bearer token arrived. Calling <code>${escape(API)}</code> with it: ${escape(call.status)}</p>
<pre>${escape(call.body)}</pre>${claims ? `<p>What it says itself:</p><pre>${escape(claims)}</pre>` : ""}</section>`;
}

// The payload of a JWT, only to show it: the API verifies the token.
function claimsOf(authorization) {
  const [, payload, signature] = authorization.split(".");
  if (!signature) return;
  try {
    return JSON.stringify(JSON.parse(Buffer.from(payload, "base64url").toString()), null, 2);
  } catch {
    return;
  }
}

function shown(name, value) {
  if (name === "authorization") return `${value.slice(0, 12)}… (${value.length} characters)`;
  if (name === "cookie") return value.replace(/=[^;]*/g, "=…");
  return value;
}

function table(rows) {
  const cells = rows.map(([name, value]) => `<tr><th scope="row">${escape(name)}</th><td>${escape(value)}</td></tr>`);
  return `<table>${cells.join("")}</table>`;
}

const STYLE = `
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; --line: color-mix(in srgb, GrayText 35%, transparent); }
body { margin: 0; }
header { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; align-items: center; padding: .75rem 1.25rem; border-bottom: 1px solid var(--line); }
nav { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-right: auto; }
a { color: inherit; } nav a { text-decoration: none; padding: .25rem 0; }
nav a[aria-current], nav a:hover { box-shadow: 0 2px #16a34a; }
.button { border: 1px solid currentColor; border-radius: .4rem; padding: .3rem .9rem; text-decoration: none; }
:focus-visible { outline: 3px solid #16a34a; outline-offset: 2px; }
main { max-width: 46rem; margin: 2rem auto; padding: 0 1.25rem; }
h1 { margin: 0 0 .5rem; line-height: 1.2; } h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
.card { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; margin: 1rem 0; } .card p { margin: 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; margin: .5rem 0 0; font-size: .875rem; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem 1rem .3rem 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; width: 13rem; }
@media (max-width: 30rem) { th, td { display: block; width: auto; padding: .2rem 0; } th { border: 0; padding-bottom: 0; } }
`;
