// oidc-provider with its own login and consent pages, tokens that live for seconds, and all data in memory.
//
//   node oidc-provider.mjs '{ "redirect_uri": …, "post_logout_redirect_uri": …, "access_token_ttl": SECONDS }'
//
// It prints `http://localhost:PORT`. Beside the provider's own routes:
// GET  /whoami              its userinfo endpoint, after `?wait=MILLISECONDS`
// GET  /control/counts      how many refresh tokens it has accepted and refused, how many tokens were revoked, and exchanged
// GET  /control/logout-tokens  the logout tokens that it has sent, by back-channel logout
// POST /control/address     the account with the id `user` has the address `email`
// POST /control/disable     it no longer knows the account with the id `user`
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import Provider, { errors } from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const counts = { refreshed: 0, refused: 0, revoked: 0, exchanged: 0 };
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"; // RFC 8693
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const addresses = new Map();
const disabled = new Set();
const logoutTokens = [];

const server = createServer((request, response) => answer(request, response));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://localhost:${server.address().port}`;

const client = {
  client_id: "vestibule",
  client_secret: "of-a-test-and-of-nothing-else",
  redirect_uris: [options.redirect_uri],
  post_logout_redirect_uris: [options.post_logout_redirect_uri],
  backchannel_logout_uri: `${issuer}/control/logout-token`, // it cannot reach the Worker: a walk takes them there
  backchannel_logout_session_required: true,
  grant_types: ["authorization_code", "refresh_token", EXCHANGE],
  response_types: ["code"],
};
const provider = new Provider(issuer, {
  claims: { openid: ["sub"], email: ["email"], profile: ["name"] },
  clockTolerance: 0, // a token is refused at its end, and not up to fifteen seconds later
  conformIdTokenClaims: false, // the ID token has the claims of the scopes
  cookies: { keys: [randomBytes(32).toString("base64url")] },
  expiresWithSession: () => false,
  features: {
    backchannelLogout: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource },
  },
  // Its own dispatcher sends nothing to this machine, where the walks take the logout tokens.
  fetch: (url, { dispatcher: _, ...request }) => fetch(url, request),
  findAccount: (_context, id) => {
    if (disabled.has(id)) return undefined;
    const email = () => addresses.get(id) ?? `${id}@example.com`;
    return { accountId: id, claims: () => ({ sub: id, name: `${id} of a test`, email: email() }) };
  },
  rotateRefreshToken: true, // a refresh token works once; its reuse revokes the whole grant
  ttl: {
    AccessToken: options.access_token_ttl,
    AuthorizationCode: 60,
    Grant: 3600,
    IdToken: 600,
    Interaction: 600,
    RefreshToken: 3600,
    Session: 3600,
  },
});
// It exchanges an access token of this client for one for the service `orders`, with the scope `openid` at most.
provider.registerGrantType(
  EXCHANGE,
  async (context) => {
    const { client, params } = context.oidc;
    if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest("another type of token");
    if (params.audience !== "orders") throw new errors.InvalidTarget("there is no such service");
    const subject = await provider.AccessToken.find(params.subject_token ?? "");
    if (subject?.clientId !== client.clientId) throw new errors.InvalidGrant("the subject token is not valid");
    const { accountId, claims, grantId } = subject;
    const token = new provider.AccessToken({ accountId, claims, client, grantId, gty: "exchange", scope: "openid" });
    context.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: token.tokenType,
      expires_in: token.expiration,
      scope: token.scope,
    };
    counts.exchanged++;
  },
  ["subject_token", "subject_token_type", "requested_token_type", "audience", "resource", "scope"],
);
// Clients of the configuration are checked before this grant is known.
await provider.Client.adapter.upsert("vestibule", client, 24 * 60 * 60);
provider.on("grant.success", (context) => {
  if (context.oidc.params.grant_type === "refresh_token") counts.refreshed++;
});
provider.on("grant.error", (context) => {
  if (context.oidc?.params?.grant_type === "refresh_token") counts.refused++;
});
provider.on("refresh_token.destroyed", () => counts.revoked++);
provider.on("server_error", (_context, error) => console.error(error));
const callback = provider.callback();

async function answer(request, response) {
  const url = new URL(request.url, issuer);
  if (url.pathname === "/whoami") {
    await pause(Number(url.searchParams.get("wait") ?? 0));
    request.url = "/me";
  } else if (url.pathname === "/control/counts") {
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(counts));
  } else if (url.pathname === "/control/logout-token") {
    let body = "";
    for await (const chunk of request) body += chunk;
    logoutTokens.push(new URLSearchParams(body).get("logout_token"));
    return response.writeHead(200).end();
  } else if (url.pathname === "/control/logout-tokens") {
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(logoutTokens));
  } else if (url.pathname === "/control/address") {
    addresses.set(url.searchParams.get("user"), url.searchParams.get("email"));
    return response.writeHead(204).end();
  } else if (url.pathname === "/control/disable") {
    disabled.add(url.searchParams.get("user"));
    return response.writeHead(204).end();
  }
  return callback(request, response);
}

// The user whom the hint names is not asked again (OpenID Connect RP-Initiated Logout 1.0 section 2).
function logoutSource(context, form) {
  const { IdTokenHint: hint } = context.oidc.entities;
  const isNamed = hint?.payload.sub === context.oidc.session.accountId;
  const button = '<button name="logout" value="yes" form="op.logoutForm">Sign out</button>';
  const unasked = form.replace("</form>", '<input type="hidden" name="logout" value="yes"></form>');
  context.body = isNamed
    ? `<!doctype html><body onload="document.forms[0].submit()">${unasked}`
    : `<!doctype html><p>Sign out of the provider?</p>${form}${button}`;
}

console.log(`oidc-provider at ${issuer}`);
