// better-auth with its OAuth provider plugin, pages for its login and consent, tokens that live for seconds, and SQLite in
// memory.
//
//   node better-auth.mjs '{ "redirect_uri": …, "post_logout_redirect_uri": …, "backchannel_logout_uri": …,
//                           "access_token_ttl": SECONDS, "reuse": SECONDS }'
//
// It prints `http://localhost:PORT`; the issuer is below it, at /api/auth. Beside the provider's own routes:
// GET  /whoami              its userinfo endpoint, after `?wait=MILLISECONDS`
// GET  /control/counts      how many refresh tokens it has accepted and refused, and how many tokens were revoked
// GET  /control/logout-tokens  the logout tokens that it has sent, by back-channel logout
// POST /control/address     the user `user` has the address `email`
// POST /control/ban         the user `user` is banned, as its plugin for administrators does it
// POST /control/remove      the user `user` is removed
// POST /control/forget      nobody has allowed the client anything
// POST /control/secret      the client gets another secret, which nobody knows
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";

import { oauthProvider } from "@better-auth/oauth-provider";
import { betterAuth } from "better-auth";
import { createAuthMiddleware, isAPIError } from "better-auth/api";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { admin, jwt } from "better-auth/plugins";

const options = JSON.parse(process.argv[2]);
const counts = { refreshed: 0, refused: 0, revoked: 0 };
const logoutTokens = [];
const secrets = ["of-a-test-and-of-nothing-else"];

const server = createServer((request, response) => toNodeHandler(answer)(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const origin = `http://localhost:${server.address().port}`;
const base = `${origin}/api/auth`;

const auth = betterAuth({
  baseURL: origin,
  database: new DatabaseSync(":memory:"),
  disabledPaths: ["/token"], // the plugin jwt has it for sessions without OAuth
  emailAndPassword: { enabled: true, minPasswordLength: 1 },
  hooks: { after: createAuthMiddleware(count) },
  plugins: [
    admin(),
    jwt({ disableSettingJwtHeader: true }),
    oauthProvider({
      accessTokenExpiresIn: options.access_token_ttl,
      clientPrivileges: ({ user }) => user.role === "admin",
      consentPage: "/consent",
      generateClientId: () => "vestibule",
      generateClientSecret: () => secrets.shift(),
      loginPage: "/login",
      refreshTokenReuseInterval: options.reuse, // 0: a used refresh token ends all of the user's
    }),
  ],
  secret: "of-the-provider-of-a-test-and-of-nothing-else",
  telemetry: { enabled: false },
});
const context = await auth.$context;
const administrator = await prepare();

// It accepts no back-channel address on this machine, and cannot reach the Worker's: a walk takes the tokens there.
const fetchFromElsewhere = globalThis.fetch;
globalThis.fetch = (url, request) => {
  if (String(url) !== options.backchannel_logout_uri) return fetchFromElsewhere(url, request);
  logoutTokens.push(request.body.get("logout_token"));
  return Promise.resolve(new Response());
};

console.log(`better-auth at ${origin}`);

// Creates the tables, the users, whose passwords are their names, and the client. Gives the headers of the administrator.
async function prepare() {
  await (await getMigrations(auth.options)).runMigrations();
  for (const name of ["ada", "root"]) {
    const body = { email: `${name}@example.com`, name: `${name} of a test`, password: name };
    await auth.api.signUpEmail({ body });
  }
  await context.internalAdapter.updateUser(await idOf("root"), { role: "admin" });
  const { headers: signedIn } = await auth.api.signInEmail({
    body: { email: "root@example.com", password: "root" },
    returnHeaders: true,
  });
  const headers = new Headers({ cookie: signedIn.getSetCookie().map((cookie) => cookie.split(";")[0]).join("; ") });
  await auth.api.adminCreateOAuthClient({
    headers,
    body: {
      backchannel_logout_session_required: true,
      backchannel_logout_uri: options.backchannel_logout_uri,
      client_name: "Vestibule",
      enable_end_session: true,
      post_logout_redirect_uris: [options.post_logout_redirect_uri],
      redirect_uris: [options.redirect_uri],
      scope: "openid profile email offline_access",
      token_endpoint_auth_method: "client_secret_post",
    },
  });
  return headers;
}

async function idOf(name) {
  const users = await context.adapter.findMany({ model: "user" });
  return users.find((user) => user.name === `${name} of a test`).id;
}

async function count({ path, body, context: { returned } }) {
  if (path === "/oauth2/token" && body.grant_type === "refresh_token") {
    counts[isAPIError(returned) ? "refused" : "refreshed"]++;
  } else if (path === "/oauth2/revoke" && !isAPIError(returned)) {
    counts.revoked++;
  }
}

async function answer(request) {
  const url = new URL(request.url);
  const user = url.searchParams.get("user");
  switch (`${request.method} ${url.pathname}`) {
    case "GET /whoami":
      await pause(Number(url.searchParams.get("wait") ?? 0));
      return auth.handler(new Request(`${base}/oauth2/userinfo`, { headers: request.headers }));
    case "GET /login":
      return page("Sign in", url.search, '<input name="username"><input name="password" type="password">');
    case "POST /login": {
      const form = await request.formData();
      const email = `${form.get("username")}@example.com`;
      return send(request, form, "/sign-in/email", { email, password: form.get("password") });
    }
    case "GET /consent":
      return page("Allow it?", url.search, '<input type="submit" name="allow" value="yes"><button name="allow" value="no">No');
    case "POST /consent": {
      const form = await request.formData();
      return send(request, form, "/oauth2/consent", { accept: form.get("allow") === "yes" });
    }
    case "GET /control/counts":
      return Response.json(counts);
    case "GET /control/logout-tokens":
      return Response.json(logoutTokens);
    case "POST /control/address":
      return done(auth.api.adminUpdateUser, { userId: await idOf(user), data: { email: url.searchParams.get("email") } });
    case "POST /control/ban":
      return done(auth.api.banUser, { userId: await idOf(user) });
    case "POST /control/remove":
      return done(auth.api.removeUser, { userId: await idOf(user) });
    case "POST /control/forget":
      await context.adapter.deleteMany({ model: "oauthConsent", where: [] });
      return new Response(null, { status: 204 });
    case "POST /control/secret":
      secrets.push("that-nobody-else-knows");
      return done(auth.api.rotateClientSecret, { client_id: "vestibule" });
    default:
      return auth.handler(request);
  }
}

// What an administrator does.
async function done(change, body) {
  await change({ headers: administrator, body });
  return new Response(null, { status: 204 });
}

// A form that comes back with the signed query that the provider has sent the browser here with.
function page(title, search, fields) {
  const query = `<input type="hidden" name="query" value="${search.slice(1).replaceAll("&", "&amp;")}">`;
  const html = `<!doctype html><h1>${title}</h1><form method="post">${query}${fields}</form>`;
  return new Response(html, { headers: { "content-type": "text/html; charset=utf-8" } });
}

// Sends what a form says to the provider, which answers where to go. Who is refused stays here.
async function send(request, form, path, fields) {
  const headers = { "content-type": "application/json", cookie: request.headers.get("cookie") ?? "", origin };
  const body = JSON.stringify({ ...fields, oauth_query: form.get("query") });
  const answer = await auth.handler(new Request(`${base}${path}`, { method: "POST", headers, body }));
  const said = answer.headers.get("content-type")?.includes("json") ? await answer.json() : {};
  const location = answer.headers.get("location") ?? said.url;
  if (!location) return new Response(said.message, { status: answer.status });
  const cookies = answer.headers.getSetCookie().map((cookie) => ["set-cookie", cookie]);
  return new Response(null, { status: 303, headers: [["location", location], ...cookies] });
}
