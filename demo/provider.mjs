// The demo's OpenID Connect provider: oidc-provider with three users, and all data in memory. For development and tests on
// this machine.
//
//   node demo/provider.mjs [PORT]
//
// DEMO_PROVIDER_PORT     the port (9400; 0 for any free port); it listens on loopback only
// DEMO_ISSUER            its issuer (http://localhost:PORT); different if it runs behind a proxy
// DEMO_BASE_URLS         the origins of Vestibule, separated by commas (http://localhost:8787)
// DEMO_BASE_PATH         Vestibule's base_path (/auth)
// DEMO_IDS               the ids that the provider has in Vestibule's configuration, separated by commas (demo)
// DEMO_CLIENTS           clients as JSON, in oidc-provider's format, instead of the one that the variables above describe
// DEMO_ACCESS_TOKEN_TTL  lifetime of access tokens in seconds (600)
// DEMO_BACKCHANNEL       anything: a sign-out here ends all of the person's sessions at Vestibule, by a logout token
//
// GET /__stats gives the numbers of accepted codes and refresh tokens and of rejected requests, and the last hundred
// requests.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";

import Provider from "oidc-provider";

import { body, escape, port, serve } from "./serve.mjs";

process.loadEnvFile(fileURLToPath(new URL("dev.vars", import.meta.url)));

const PORT = port("DEMO_PROVIDER_PORT", 9400);
const ISSUER = process.env.DEMO_ISSUER ?? `http://localhost:${PORT}`;
const ACCESS_TOKEN_TTL = Number(process.env.DEMO_ACCESS_TOKEN_TTL ?? 600);
const SCOPE = "openid profile email offline_access";

/** The claims of the scope `profile`. Some providers, such as Auth0, have custom claims under a URL. */
const PROFILE = ["name", "roles", "groups", "isAdmin", "https://example.com/roles"];

// Carol has so many groups that her session does not fit into one cookie.
const USERS = new Map([
  ["alice@example.com", { password: "alice", id: "user-1", name: "Alice Example", roles: ["admin", "user"], groups: ["board"] }],
  ["bob@example.com", { password: "bob", id: "user-2", name: "Bob Example", roles: ["user"], groups: ["sales"] }],
  ["carol@example.com", { password: "carol", id: "user-3", name: "Carol Example", roles: ["user"], groups: manyGroups() }],
]);

const provider = new Provider(ISSUER, {
  clients: process.env.DEMO_CLIENTS ? JSON.parse(process.env.DEMO_CLIENTS) : [client()],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: PROFILE },
  conformIdTokenClaims: false, // the ID token also contains the claims of the scopes, as with most providers
  cookies: { keys: [randomBytes(32).toString("base64url")] },
  extraParams: ["audience"],
  expiresWithSession: () => false,
  features: {
    backchannelLogout: { enabled: Boolean(process.env.DEMO_BACKCHANNEL) },
    devInteractions: { enabled: false },
    // An audience that is asked for, as Auth0 wants it, makes the access token a JWT for that API.
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx) => ctx.oidc.params.audience,
      getResourceServerInfo: (_ctx, audience) => ({ audience, scope: "", accessTokenFormat: "jwt", accessTokenTTL: ACCESS_TOKEN_TTL }),
      useGrantedResource: () => true,
    },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
  },
  // Its own dispatcher sends nothing to this machine, where Vestibule is.
  fetch: (url, { dispatcher: _, ...request }) => fetch(url, request),
  findAccount: (_ctx, id) => account(id),
  interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
  jwks: { keys: [signingKey("rsa", { modulusLength: 2048 }, "RS256"), signingKey("ec", { namedCurve: "P-256" }, "ES256")] },
  loadExistingGrant: grant,
  pkce: { required: () => true },
  renderError,
  rotateRefreshToken: true, // a refresh token works once; its reuse revokes the whole grant
  ttl: {
    AccessToken: ACCESS_TOKEN_TTL,
    AuthorizationCode: 60,
    Grant: 30 * 86400,
    IdToken: 3600,
    Interaction: 3600,
    RefreshToken: 30 * 86400,
    Session: 86400,
  },
});

// The proxy uses https without saying so in a header, so every URL of the provider gets its issuer's scheme.
provider.proxy = true;
const PROTOCOL = new URL(ISSUER).protocol.slice(0, -1);

const answer = provider.callback();
await serve("provider", PORT, (request, response) => {
  request.headers["x-forwarded-proto"] = PROTOCOL;
  const { pathname } = new URL(request.url, ISSUER);
  if (pathname === "/__stats") return sendStats(response);
  if (pathname.startsWith("/interaction/")) return interact(request, response);
  return answer(request, response);
});

function client() {
  const bases = (process.env.DEMO_BASE_URLS ?? "http://localhost:8787").split(",").map((base) => base.trim());
  const path = process.env.DEMO_BASE_PATH ?? "/auth";
  const ids = (process.env.DEMO_IDS ?? "demo").split(",");
  return {
    client_id: process.env.AUTH_DEMO_ID,
    client_secret: process.env.AUTH_DEMO_SECRET,
    redirect_uris: bases.flatMap((base) => ids.map((id) => `${base}${path}/callback/${id}`)),
    post_logout_redirect_uris: bases.map((base) => `${base}${path}/signout/callback`),
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    // Without `backchannel_logout_session_required` a logout token names the person, and not one session here.
    ...(process.env.DEMO_BACKCHANNEL && { backchannel_logout_uri: `${bases[0]}${path}/backchannel-logout` }),
  };
}

function signingKey(type, options, algorithm) {
  const { privateKey } = generateKeyPairSync(type, options);
  return { ...privateKey.export({ format: "jwk" }), alg: algorithm, use: "sig", kid: `demo-${algorithm}` };
}

function account(id) {
  for (const [email, { id: accountId, name, roles, groups }] of USERS) {
    if (accountId !== id) continue;
    const custom = { isAdmin: roles.includes("admin"), "https://example.com/roles": roles };
    return { accountId, claims: () => ({ sub: id, name, email, email_verified: true, roles, groups, ...custom }) };
  }
}

function manyGroups() {
  return Array.from({ length: 200 }, (_, index) => `project-${index + 1}-members`);
}

// Grants everything that the client requests, without a consent page.
async function grant(ctx) {
  const { client, session, params, provider } = ctx.oidc;
  const known = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId);
  return (known && (await provider.Grant.find(known))) || newGrant(client.clientId, session.accountId, params.scope);
}

async function newGrant(clientId, accountId, scope = SCOPE) {
  const granted = new provider.Grant({ clientId, accountId });
  granted.addOIDCScope(scope);
  await granted.save();
  return granted;
}

// The login page, and the handler of its form.
async function interact(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "consent") {
    const { jti } = await newGrant(params.client_id, session.accountId, params.scope);
    return provider.interactionFinished(request, response, { consent: { grantId: jti } });
  }
  if (request.method !== "POST") return sendLogin(response, 200, params.login_hint ?? "");

  const form = new URLSearchParams((await body(request, 10_000)).toString());
  if (form.has("cancel")) {
    const refusal = { error: "access_denied", error_description: "The sign-in was cancelled." };
    return provider.interactionFinished(request, response, refusal, { mergeWithLastSubmission: false });
  }
  const email = (form.get("email") ?? "").trim().toLowerCase();
  const user = USERS.get(email);
  if (user?.password !== form.get("password")) return sendLogin(response, 401, email, "Email or password is wrong.");
  return provider.interactionFinished(request, response, { login: { accountId: user.id } });
}

function sendLogin(response, status, email, problem) {
  const rows = [...USERS].map(
    ([email, { password, roles }]) =>
      `<tr><td>${escape(email)}</td><td><code>${escape(password)}</code></td><td>${escape(roles.join(", "))}</td></tr>`,
  );
  response.writeHead(status, { "content-type": "text/html; charset=utf-8", "cache-control": "no-store" });
  response.end(
    page(
      "Sign in",
      `${problem ? `<p class="problem" role="alert">${escape(problem)}</p>` : ""}
<form method="post">
<label for="email">Email</label>
<input id="email" name="email" type="email" value="${escape(email)}" autocomplete="username" required autofocus>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required>
<button type="submit">Sign in</button>
<button type="submit" name="cancel" value="yes" formnovalidate class="quiet">Cancel</button>
</form>
<h2>Users of this demo</h2>
<table><thead><tr><th>Email</th><th>Password</th><th>Roles</th></tr></thead><tbody>${rows.join("")}</tbody></table>`,
    ),
  );
}

function logoutSource(ctx, form) {
  ctx.body = page(
    "Sign out",
    `<p>Sign out of the demo provider too?</p>${form}
<button type="submit" form="op.logoutForm" name="logout" value="yes" autofocus>Sign out</button>
<button type="submit" form="op.logoutForm" class="quiet">Stay signed in</button>`,
  );
}

function postLogoutSuccessSource(ctx) {
  ctx.body = page("Signed out", "<p>You are signed out of the demo provider.</p>");
}

function renderError(ctx, out) {
  ctx.type = "html";
  const lines = Object.entries(out).map(([name, value]) => `<dt>${escape(name)}</dt><dd>${escape(value)}</dd>`);
  ctx.body = page("This request cannot be answered", `<dl>${lines.join("")}</dl>`);
}

function page(title, content) {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${title} – Demo provider</title>
<style>
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif; }
body { max-width: 24rem; margin: 8vh auto; padding: 0 1.25rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1rem; margin: 2rem 0 .25rem; }
small { color: GrayText; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, button { font: inherit; box-sizing: border-box; width: 100%; padding: .6rem .75rem; border-radius: .4rem; }
input { border: 1px solid GrayText; }
button { margin-top: 1.25rem; border: 1px solid transparent; background: #14532d; color: #fff; font-weight: 600; cursor: pointer; }
button.quiet { margin-top: .6rem; background: none; border-color: GrayText; color: inherit; font-weight: 400; }
:focus-visible { outline: 3px solid #16a34a; outline-offset: 2px; }
.problem { border-left: .25rem solid #dc2626; padding-left: .75rem; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; }
th, td { text-align: left; padding: .35rem .5rem .35rem 0; border-bottom: 1px solid color-mix(in srgb, GrayText 40%, transparent); }
dt { font-weight: 600; } dd { margin: 0 0 .5rem; overflow-wrap: anywhere; }
</style>
<main>
<small>Demo provider, for development only</small>
<h1>${title}</h1>
${content}
</main>
</html>
`;
}

const stats = { authorization_code: 0, refresh_token: 0, refused: 0, log: [] };
const LOG_LENGTH = 100;

provider.on("grant.success", (ctx) => {
  const { grant_type } = ctx.oidc.params;
  stats[grant_type]++;
  note({ grant_type, client: ctx.oidc.client.clientId });
});
provider.on("grant.error", (ctx, error) => {
  stats.refused++;
  const grant_type = ctx.oidc?.params?.grant_type;
  note({ grant_type, error: error.error, detail: error.error_detail ?? error.error_description });
});
provider.on("backchannel.error", (_ctx, error) => console.error("provider: a logout token was not accepted:", error));
provider.on("server_error", (_ctx, error) => console.error("provider:", error));

function note(entry) {
  stats.log.push(entry);
  if (stats.log.length > LOG_LENGTH) stats.log.shift();
  console.log(`${entry.grant_type ?? "token request"}: ${entry.error ? `${entry.error} (${entry.detail})` : "granted"}`);
}

function sendStats(response) {
  response.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(stats));
}
