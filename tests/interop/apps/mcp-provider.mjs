// oidc-provider as the authorization server of MCP servers: clients register themselves (RFC 7591) and name the resource
// that they want a token for (RFC 8707). There is one person, Ada, who is signed in and grants everything.
//
//   node mcp-provider.mjs '{ "issuer": URL, "client": {…}, "resources": { "URL": "SCOPE SCOPE" } }'
//
// It prints `http://127.0.0.1:PORT`, and takes every request for one to its issuer.
// GET /control/requests     the bodies of the token requests, and the queries of the authorization requests
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";

import Provider, { errors } from "oidc-provider";

const options = JSON.parse(process.argv[2]);
const issuer = new URL(options.issuer);
const requests = { authorization: [], token: [] };

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(options.issuer, {
  clients: [options.client],
  claims: { openid: ["sub"], email: ["email"], profile: ["name"] },
  cookies: { keys: [randomBytes(32).toString("base64url")] },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined, // without `resource` a token is for userinfo, and opaque
      getResourceServerInfo: (_context, resource) => {
        const scope = options.resources[resource];
        if (scope === undefined) throw new errors.InvalidTarget();
        return { scope, audience: resource, accessTokenFormat: "jwt", accessTokenTTL: 300, jwt: { sign: { alg: "RS256" } } };
      },
      useGrantedResource: () => true,
    },
  },
  // Its own dispatcher sends nothing to this machine.
  fetch: (url, { dispatcher: _, ...request }) => fetch(url, request),
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, name: "Ada", email: "ada@example.com" }) }),
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "RS256", use: "sig", kid: "of-a-test" }] },
  loadExistingGrant: async ({ oidc: { client, params, result, session } }) => {
    const known = result?.consent?.grantId;
    return known ? provider.Grant.find(known) : granted(client.clientId, session.accountId, params);
  },
  pkce: { required: () => true },
});
provider.proxy = true;
provider.use(async (context, next) => {
  if (context.path === "/auth") requests.authorization.push(context.query);
  if (context.path === "/reg" && context.method === "POST") {
    // Clients register with the scopes that they were asked for first, and this provider would hold them to these.
    const { scope: _, ...metadata } = JSON.parse(await text(context.req));
    context.req.body = metadata;
  }
  await next();
  if (context.path === "/token") requests.token.push(context.oidc?.body ?? {});
});
provider.on("server_error", (_context, error) => console.error(error));
provider.on("grant.error", (_context, error) => console.error(error));
provider.on("authorization.error", (_context, error) => console.error(error));
provider.on("registration_create.error", (_context, error) => console.error(error));
const callback = provider.callback();

const server = createServer(async (request, response) => {
  request.headers.host = issuer.host;
  request.headers["x-forwarded-host"] = issuer.host;
  request.headers["x-forwarded-proto"] = issuer.protocol.slice(0, -1);
  if (request.url === "/control/requests") {
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(requests));
  }
  if (request.url.startsWith("/interaction/")) {
    const { prompt, params } = await provider.interactionDetails(request, response);
    const consent = async () => ({ grantId: (await granted(params.client_id, "ada", params)).jti });
    const result = prompt.name === "login" ? { login: { accountId: "ada" } } : { consent: await consent() };
    return provider.interactionFinished(request, response, result);
  }
  return callback(request, response);
});
server.listen(0, "127.0.0.1", () => console.log(`oidc-provider at http://127.0.0.1:${server.address().port}`));

/** What Ada grants to every client: all that it asks for. */
async function granted(clientId, accountId, { resource }) {
  const grant = new provider.Grant({ clientId, accountId });
  grant.addOIDCScope("openid profile email offline_access");
  for (const one of [resource ?? []].flat()) grant.addResourceScope(one, options.resources[one]);
  await grant.save();
  return grant;
}

async function text(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}
