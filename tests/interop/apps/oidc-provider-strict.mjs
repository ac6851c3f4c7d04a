// oidc-provider with everything that strict profiles ask for, and a resource that checks each DPoP proof with jose. Tokens
// live for seconds, and all data is in memory.
//
//   node oidc-provider-strict.mjs '{
//     "access_token_ttl": SECONDS, "client": { … }, "requires": ["pushed", "signed", "nonce", "fapi2"], "keys": [ … ]
//   }'
//
// `client` are metadata of the client besides the usual ones, `keys` its public keys for encryption, and `requires` is what
// the provider demands of every request: that it is pushed, that it is signed, a nonce in each proof, FAPI 2.0.
// It prints `http://localhost:PORT`. Beside the provider's own routes:
// ANY  /whoami                what it knows of the access token, and what arrived with it
// GET  /control/counts        how many refresh tokens it has accepted and refused, and how many tokens were revoked
// GET  /control/logout-tokens the logout tokens that it has sent, by back-channel logout
// GET  /control/seen          the pushed requests, the authorization requests, and its responses in an address, each with
//                             the names of its parameters
// POST /control/client-keys   the client has published these keys for its signatures
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";

import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from "jose";
import Provider from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const requires = (what) => options.requires.includes(what);
const counts = { refreshed: 0, refused: 0, revoked: 0 };
const logoutTokens = [];
const seen = [];
let clientKeys = [];

/** What a token with details is for. */
const API = "https://api.example.com";
/** Of what is asked for it grants only this. */
const GRANTED = "list_accounts";
/** How long a nonce of the resource is new. The one before it is accepted, too. */
const NONCE_MILLISECONDS = 2000;

const server = createServer((request, response) => {
  answer(request, response).catch((error) => {
    console.error(error);
    response.writeHead(500).end();
  });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://localhost:${server.address().port}`;

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "vestibule",
      client_secret: "of-a-test-and-of-nothing-else",
      backchannel_logout_uri: `${issuer}/control/logout-token`, // it cannot reach the Worker: a walk takes them there
      backchannel_logout_session_required: true,
      jwks_uri: `${issuer}/control/client-keys.json`, // for the same reason
      authorization_details_types: ["account_information"],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      ...options.client,
    },
  ],
  claims: { openid: ["sub"], email: ["email"], profile: ["name"] },
  clientAuthMethods: ["client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"],
  clockTolerance: 0,
  cookies: { keys: [randomBytes(32).toString("base64url")] },
  enabledJWA: {
    idTokenEncryptionAlgValues: ["ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256"],
    userinfoEncryptionAlgValues: ["ECDH-ES", "ECDH-ES+A256KW", "RSA-OAEP-256"],
  },
  expiresWithSession: () => false,
  features: {
    backchannelLogout: { enabled: true },
    claimsParameter: { enabled: true },
    clientCredentials: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => requires("nonce") },
    encryption: { enabled: true },
    fapi: { enabled: requires("fapi2"), profile: "2.0" },
    introspection: { enabled: true, allowedPolicy: () => true },
    jwtIntrospection: { enabled: true },
    jwtResponseModes: { enabled: true },
    jwtUserinfo: { enabled: true },
    pushedAuthorizationRequests: { enabled: true, requirePushedAuthorizationRequests: requires("pushed") },
    requestObjects: { enabled: true, requireSignedRequestObject: requires("signed") },
    resourceIndicators: {
      enabled: true,
      // A request with details has to be for a resource. The access token is still one for userinfo.
      defaultResource: (context) => (context.oidc.params.authorization_details ? API : undefined),
      getResourceServerInfo: () => ({ scope: "", audience: API, accessTokenFormat: "opaque" }),
    },
    revocation: { enabled: true, allowedPolicy: () => true },
    richAuthorizationRequests: {
      enabled: true,
      types: { account_information: { validate: () => {} } },
      authorizationDetailsForGrantSource: (context) =>
        JSON.parse(context.oidc.params.authorization_details).map((detail) => ({
          ...detail,
          actions: detail.actions.filter((action) => action === GRANTED),
        })),
      authorizationDetailsForAccessToken: (_context, _token, source) => source.rar,
      authorizationDetailsForIntrospection: (_context, token) => token.rar,
    },
    rpInitiatedLogout: { enabled: true },
  },
  // Its own dispatcher sends nothing to this machine, where the keys and the logout tokens are.
  fetch: (url, { dispatcher: _, ...request }) => fetch(url, request),
  findAccount: (_context, id) => {
    return { accountId: id, claims: () => ({ sub: id, name: `${id} of a test`, email: `${id}@example.com` }) };
  },
  jwks: {
    keys: [
      signingKey("rsa", { modulusLength: 2048 }, "RS256"),
      signingKey("rsa", { modulusLength: 2048 }, "PS256"),
      signingKey("ec", { namedCurve: "P-256" }, "ES256"),
    ],
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
provider.on("grant.success", (context) => {
  if (context.oidc.params.grant_type === "refresh_token") counts.refreshed++;
});
provider.on("grant.error", (context, error) => {
  // Who sends a proof without the nonce sends the same request again.
  if (error.error === "use_dpop_nonce") return;
  if (context.oidc?.params?.grant_type === "refresh_token") counts.refused++;
  console.error("token endpoint:", error.message, error.error_description, error.error_detail);
});
provider.on("pushed_authorization_request.error", (_context, error) => console.error("pushed:", error));
provider.on("authorization.error", (_context, error) => console.error("authorization:", error));
provider.on("refresh_token.destroyed", () => counts.revoked++);
provider.on("server_error", (_context, error) => console.error(error));
provider.use(async (context, next) => {
  await next();
  // A form was read by then.
  if (context.oidc?.route === "pushed_authorization_request") see("pushed", Object.keys(context.oidc.body ?? {}));
  const to = context.response.get("location");
  if (to?.startsWith(options.client.redirect_uris[0])) see("response", [...new URL(to).searchParams.keys()]);
});
const callback = provider.callback();

async function answer(request, response) {
  const url = new URL(request.url, issuer);
  if (url.pathname === "/whoami") return whoami(request, response, url);
  if (url.pathname === "/control/counts") return send(response, counts);
  if (url.pathname === "/control/seen") return send(response, seen);
  if (url.pathname === "/control/logout-tokens") return send(response, logoutTokens);
  if (url.pathname === "/control/client-keys.json") return send(response, { keys: [...clientKeys, ...options.keys] });
  if (url.pathname === "/control/client-keys") {
    clientKeys = JSON.parse(await body(request)).keys;
    return response.writeHead(204).end();
  }
  if (url.pathname === "/control/logout-token") {
    logoutTokens.push(new URLSearchParams(await body(request)).get("logout_token"));
    return response.writeHead(200).end();
  }
  if (url.pathname === "/auth") see("authorization", [...url.searchParams.keys()]);
  return callback(request, response);
}

/** A resource of RFC 9449 section 7: a bound token is of use only with a proof for exactly this request. */
async function whoami(request, response, url) {
  const [scheme, value] = (request.headers.authorization ?? "").split(" ");
  const token = value && (await provider.AccessToken.find(value));
  if (!token) return refuse(response, `${scheme || "Bearer"} error="invalid_token"`);
  if (token.jkt || scheme === "DPoP") {
    const nonce = requires("nonce") ? nonceAt(Date.now()) : undefined;
    if (nonce) response.setHeader("DPoP-Nonce", nonce);
    try {
      await verifyProof(request, url, value, token.jkt, scheme, nonce);
    } catch (error) {
      return refuse(response, `DPoP error="${error.code === "nonce" ? "use_dpop_nonce" : "invalid_dpop_proof"}", error_description="${error.message}"`);
    }
  }
  const { accountId, jkt, rar } = token;
  return send(response, {
    sub: accountId, email: `${accountId}@example.com`, jkt, details: rar, scheme, method: request.method,
    query: url.search, body: await body(request),
  });
}

const ids = new Set();

async function verifyProof(request, url, token, jkt, scheme, nonce) {
  if (scheme !== "DPoP") throw new Error("the token is bound to a key");
  const proofs = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "dpop");
  if (proofs.length !== 1) throw new Error("there is not one proof");
  const { payload, protectedHeader } = await jwtVerify(request.headers.dpop, EmbeddedJWK, {
    algorithms: ["ES256"], typ: "dpop+jwt", maxTokenAge: "60s", clockTolerance: 5, requiredClaims: ["jti", "htm", "htu", "ath"],
  });
  // At its own address it is reached without TLS.
  const origin = request.headers.host === new URL(issuer).host ? issuer : `https://${request.headers.host}`;
  const expected = {
    htm: request.method,
    htu: `${origin}${url.pathname}`,
    ath: createHash("sha256").update(token).digest("base64url"),
  };
  for (const [name, is] of Object.entries(expected)) {
    if (payload[name] !== is) throw new Error(`${name} is ${payload[name]} in place of ${is}`);
  }
  if ((await calculateJwkThumbprint(protectedHeader.jwk)) !== jkt) throw new Error("the proof has another key");
  if (ids.has(payload.jti)) throw new Error("the proof was used before");
  if (nonce && ![nonce, nonceAt(Date.now() - NONCE_MILLISECONDS)].includes(payload.nonce)) {
    throw Object.assign(new Error("the nonce is old"), { code: "nonce" });
  }
  ids.add(payload.jti);
}

function nonceAt(milliseconds) {
  return `of-the-resource-${Math.floor(milliseconds / NONCE_MILLISECONDS)}`;
}

function refuse(response, challenge) {
  return response.writeHead(401, { "www-authenticate": challenge }).end();
}

function send(response, value) {
  return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(value));
}

function see(what, parameters) {
  seen.push({ what, parameters: parameters.sort() });
}

async function body(request) {
  let body = "";
  for await (const chunk of request) body += chunk;
  return body;
}

function signingKey(type, how, algorithm) {
  const { privateKey } = generateKeyPairSync(type, how);
  return { ...privateKey.export({ format: "jwk" }), alg: algorithm, use: "sig", kid: `of-the-provider-${algorithm}` };
}

console.log(`oidc-provider at ${issuer}`);
