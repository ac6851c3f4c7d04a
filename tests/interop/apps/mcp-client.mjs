// An MCP client of the official SDK. It is told nothing but the URL of its server, and finds the rest by itself.
//
//   node mcp-client.mjs '{ "walk": NAME, "ports": { "HOST": PORT }, "scheme_header": NAME }'
//
// `ports` says where on this machine each host is; every request for `https://HOST` goes there. A walk that fails ends with an
// error.
import assert from "node:assert/strict";
import { request as send } from "node:http";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";

import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { LoggingMessageNotificationSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";

const options = JSON.parse(process.argv[2]);
const SITE = "https://app.example.com";
const MCP = `${SITE}/mcp`;
const METADATA = `${SITE}/.well-known/oauth-protected-resource/mcp`;
const CALLBACK = "http://127.0.0.1:33418/callback";

/** Every request and its answer, in order. */
const seen = [];

/** `fetch`, with the hosts on this machine. */
async function fetchHere(input, init = {}) {
  const url = new URL(input instanceof Request ? input.url : input);
  const port = options.ports[url.host];
  assert.ok(port, `no request for ${url.host} was expected`);
  const headers = Object.fromEntries(new Headers(init.headers));
  const path = `${url.pathname}${url.search}`;
  const response = await new Promise((resolve, reject) => {
    const request = send(
      { host: "127.0.0.1", port, path, method: init.method ?? "GET", signal: init.signal ?? undefined, agent: false,
        headers: { ...headers, host: url.host, [options.scheme_header]: "https" } },
      resolve,
    );
    request.on("error", reject);
    request.end(init.body === undefined ? undefined : String(init.body));
  });
  seen.push({ method: init.method ?? "GET", url: url.href, status: response.statusCode, headers: response.headers, body: init.body });
  const fields = new Headers();
  for (let at = 0; at < response.rawHeaders.length; at += 2) fields.append(response.rawHeaders[at], response.rawHeaders[at + 1]);
  const isEmpty = [204, 205, 304].includes(response.statusCode);
  return new Response(isEmpty ? null : Readable.toWeb(response), { status: response.statusCode, headers: fields });
}

/** What a client keeps: its registration and its tokens. */
class Store {
  clientMetadata = {
    client_name: "A client of a test",
    redirect_uris: [CALLBACK],
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    token_endpoint_auth_method: "none",
  };
  redirectUrl = CALLBACK;
  clientInformation = () => this.client;
  saveClientInformation = (client) => void (this.client = client);
  tokens = () => this.kept;
  saveTokens = (tokens) => void (this.kept = tokens);
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  codeVerifier = () => this.verifier;
  redirectToAuthorization = (url) => void (this.asked = url);
}

/** The person's browser: it follows the redirects from the authorization server to the client, which gets the code. */
async function authorize(start) {
  const cookies = new Map();
  let url = new URL(start);
  for (let hop = 0; hop < 10; hop++) {
    if (url.href.startsWith(CALLBACK)) {
      assert.equal(url.searchParams.get("error"), null, url.href);
      assert.equal(url.searchParams.get("iss"), "https://idp.example.com");
      return url.searchParams.get("code");
    }
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const answer = await fetchHere(url, { headers: cookie ? { cookie } : {} });
    for (const field of answer.headers.getSetCookie()) {
      const [name, value] = field.split(";")[0].split(/=(.*)/s);
      cookies.set(name, value);
    }
    const location = answer.headers.get("location");
    assert.ok(location, `${answer.status} at ${url}: ${await answer.text()}`);
    url = new URL(location, url);
  }
  assert.fail("too many redirects");
}

/** Connects, and signs the person in where the server asks for it. Gives the client and its transport. */
async function connect(url, store) {
  const client = new Client({ name: "a-client-of-a-test", version: "1.0.0" });
  const transport = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: store, fetch: fetchHere });
  const first = transport();
  try {
    await client.connect(first);
    return { client, transport: first };
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  await first.finishAuth(await authorize(store.asked));
  const second = transport();
  await client.connect(second);
  return { client, transport: second };
}

async function call(client, name, timeout = 60_000) {
  const { content } = await client.callTool({ name, arguments: {} }, undefined, { timeout });
  return content[0].text;
}

/** A request of a client with this token, past the SDK. */
async function ask(url, token, fields = {}) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const init = { method: "POST", body: initialize(), headers: { ...authorization, "content-type": "application/json", accept: "application/json, text/event-stream", ...fields } };
  const answer = await fetchHere(url, init);
  await answer.body?.cancel();
  return { status: answer.status, challenge: answer.headers.get("www-authenticate") };
}

function initialize() {
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "raw", version: "1" } };
  return JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
}

function requestsTo(start) {
  return seen.filter(({ url }) => url.startsWith(start));
}

const walks = {
  /** From nothing but a URL to the tools. */
  async tools() {
    const store = new Store();
    const { client, transport } = await connect(MCP, store);

    const [refused, metadata] = seen;
    assert.deepEqual([refused.method, refused.url, refused.status], ["POST", MCP, 401]);
    assert.equal(refused.headers["www-authenticate"], `Bearer resource_metadata="${METADATA}", scope="tools:read"`);
    assert.deepEqual([metadata.url, metadata.status], [METADATA, 200]);
    const [registered] = requestsTo("https://idp.example.com/reg");
    assert.equal(registered.status, 201);
    const asked = Object.fromEntries(store.asked.searchParams);
    assert.equal(asked.resource, MCP);
    assert.equal(asked.scope, "tools:read");
    assert.equal(asked.code_challenge_method, "S256");
    const [token] = requestsTo("https://idp.example.com/token");
    assert.equal(new URLSearchParams(String(token.body)).get("resource"), MCP);
    const claims = JSON.parse(Buffer.from(store.kept.access_token.split(".")[1], "base64url"));
    assert.deepEqual([claims.aud, claims.scope], [MCP, "tools:read"]);

    assert.match(transport.sessionId, /^[0-9a-f-]{36}$/);
    const { tools } = await client.listTools();
    assert.deepEqual(tools.map(({ name }) => name).sort(), ["countdown", "learn", "long", "whoami"]);
    assert.equal(await call(client, "whoami"), "ada");
    await transport.terminateSession();
    await client.close();
    assert.ok(requestsTo(MCP).every(({ status }, at) => (at === 0 ? status === 401 : status < 300)), JSON.stringify(seen));
  },

  /** What the server sends by and by arrives by and by. */
  async streams() {
    const { client } = await connect(MCP, new Store());
    const arrived = [];
    client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => void arrived.push([params.data, Date.now()]));
    assert.equal(await call(client, "countdown"), "done");
    const end = Date.now();
    assert.deepEqual(arrived.map(([data]) => data), ["3 left", "2 left", "1 left"]);
    // Each was there before the next one was sent.
    assert.ok(arrived[0][1] < arrived[1][1] && arrived[1][1] < arrived[2][1] && arrived[2][1] < end, JSON.stringify(arrived));
    // The stream that is open for whatever the server has to say.
    const changed = new Promise((resolve) => client.setNotificationHandler(ToolListChangedNotificationSchema, resolve));
    assert.equal(await call(client, "learn"), "learned");
    await changed;
    assert.equal((await client.listTools()).tools.length, 5);
    await client.close();
  },

  /** A call that says nothing for long. */
  async long() {
    const { client } = await connect(MCP, new Store());
    assert.equal(await call(client, "long", 120_000), "done");
    await client.close();
  },

  /** The client learns which scope it lacks, and gets a token with it that keeps what it had. */
  async scopes() {
    const store = new Store();
    await (await connect(MCP, store)).client.close();
    const few = store.kept.access_token;
    const refused = await ask(`${MCP}/admin`, few);
    assert.equal(refused.status, 403);
    assert.match(refused.challenge, /^Bearer error="insufficient_scope", /);
    assert.ok(refused.challenge.endsWith(`resource_metadata="${METADATA}", scope="tools:write tools:read"`), refused.challenge);
    // A client that has no refresh token asks the person.
    delete store.kept.refresh_token;
    const { client } = await connect(`${MCP}/admin`, store);
    assert.equal(store.asked.searchParams.get("scope"), "tools:write tools:read");
    assert.equal(await call(client, "whoami"), "ada");
    await client.close();
    assert.equal((await ask(MCP, store.kept.access_token)).status, 200);
  },

  /** A token for one resource is nothing at another. */
  async audiences() {
    const tools = new Store();
    await (await connect(MCP, tools)).client.close();
    const reports = await tokenFor(`${SITE}/reports`, "reports:read", tools.client.client_id);
    const userinfo = await tokenFor(undefined, "openid", tools.client.client_id);
    const passes = async (url, token) => (await ask(url, token)).status < 300;
    assert.ok(await passes(MCP, tools.kept.access_token));
    assert.ok(await passes(`${SITE}/reports`, reports.access_token));
    for (const [url, token] of [
      [MCP, reports.access_token],
      [MCP, userinfo.access_token],
      [MCP, userinfo.id_token],
      [MCP, "e30.e30."],
      [`${SITE}/reports`, tools.kept.access_token],
      [`${SITE}/elsewhere`, tools.kept.access_token],
      [`${SITE}/MCP`, tools.kept.access_token],
    ]) {
      const { status, challenge } = await ask(url, token);
      assert.equal(status, 401, url);
      assert.match(challenge, url.endsWith("/elsewhere") ? /^Bearer$/ : /^Bearer error="invalid_token"/);
    }
  },

  /** What a client in a browser can do, and a page that is none. */
  async pages() {
    const store = new Store();
    await (await connect(MCP, store)).client.close();
    const token = store.kept.access_token;
    const inspector = "https://inspector.example.org";
    assert.equal((await ask(MCP, token, { origin: inspector })).status, 200);
    for (const origin of ["https://evil.example", "null"]) {
      assert.equal((await ask(MCP, token, { origin })).status, 403);
    }
    const preflight = await fetchHere(METADATA, {
      method: "OPTIONS",
      headers: { origin: "https://evil.example", "access-control-request-method": "GET", "access-control-request-headers": "mcp-protocol-version" },
    });
    assert.deepEqual([preflight.status, preflight.headers.get("access-control-allow-origin")], [204, "*"]);
    assert.equal(preflight.headers.get("access-control-allow-headers"), "*");
    const metadata = await fetchHere(METADATA, { headers: { origin: "https://evil.example" } });
    assert.equal(metadata.headers.get("access-control-allow-origin"), "*");
    const refused = await fetchHere(MCP, { method: "POST", headers: { origin: inspector }, body: initialize() });
    assert.equal(refused.headers.get("access-control-allow-origin"), inspector);
    assert.match(refused.headers.get("access-control-expose-headers"), /WWW-Authenticate/);
  },
};

/** A token from the same authorization server, with another resource. */
async function tokenFor(resource, scope, client_id) {
  const verifier = "a-verifier-that-is-long-enough-for-the-rules-of-rfc-7636";
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const named = resource === undefined ? {} : { resource };
  const query = new URLSearchParams({
    client_id, redirect_uri: CALLBACK, response_type: "code", scope, ...named,
    code_challenge: Buffer.from(digest).toString("base64url"), code_challenge_method: "S256",
  });
  const code = await authorize(`https://idp.example.com/auth?${query}`);
  const body = new URLSearchParams({ grant_type: "authorization_code", code, client_id, redirect_uri: CALLBACK, code_verifier: verifier, ...named });
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const answer = await fetchHere("https://idp.example.com/token", { method: "POST", headers, body });
  assert.equal(answer.status, 200);
  return JSON.parse(await buffer(answer.body));
}

await walks[options.walk]();
console.log("passed");
process.exit(0);
