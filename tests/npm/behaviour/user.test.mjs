// `user` from plain header fields, and the middleware of Express and Hono.
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import express from "express";
import { Hono } from "hono";
import { expressUser, honoUser, user } from "@vestibule-auth/edge/server";
import { AUDIENCE, ISSUER, assertion, keyPair, withKeys } from "./provider.mjs";

const FIELDS = { sub: "X-User-Id", email: "X-User-Email", name: "X-User-Name", roles: { name: "X-User-Roles", list: true } };

test("plain header fields are believed with trustNetwork only", async () => {
  const request = { headers: { "x-user-id": "eve", "x-user-email": "eve@example.com" } };
  const verified = { issuer: ISSUER, audience: AUDIENCE };
  assert.equal(await user(request, verified), null);
  for (const trustNetwork of [undefined, false, 1, "true"]) {
    await assert.rejects(user(request, { ...verified, headers: FIELDS, trustNetwork }), /trustNetwork: true/);
  }
  await assert.rejects(user(request, { trustNetwork: true }), /options\.headers/);
  await assert.rejects(user(request, { trustNetwork: true, headers: { email: "X-User-Email" } }), /options\.headers/);
  const options = { trustNetwork: true, headers: FIELDS };
  assert.deepEqual(await user(request, options), {
    sub: "eve", provider: null, account: null, name: null, email: "eve@example.com", claims: {},
  });
  assert.equal(await user({ headers: { "x-user-email": "eve@example.com" } }, options), null);
  assert.equal(await user({ headers: { "x-user-id": "" } }, options), null);
});

test("values of header fields are read as the Worker writes them", async () => {
  const latin1 = (text) => Buffer.from(text).toString("latin1");
  const options = { trustNetwork: true, headers: FIELDS };
  const headers = { "x-user-id": "1", "x-user-name": latin1("Zoë"), "x-user-roles": "admin,a%2Cb,50%25,Zo%C3%AB" };
  const plain = await user({ headers }, options);
  assert.equal(plain.name, "Zoë");
  assert.deepEqual(plain.claims.roles, ["admin", "a,b", "50%", "Zoë"]);
  assert.equal((await user({ headers: { ...headers, "x-user-name": "Zo\xeb" } }, options)).name, "Zoë");
  assert.equal((await user({ headers: { ...headers, "x-user-name": "50% Zoë €" } }, options)).name, "50% Zoë €");
  const percent = { ...options, encoding: "percent" };
  assert.equal((await user({ headers: { ...headers, "x-user-name": "Zo%C3%AB%25" } }, percent)).name, "Zoë%");
  assert.equal((await user({ headers: { ...headers, "x-user-name": "100%" } }, percent)).name, "100%");
});

/** Servers of both frameworks with the same options, as functions from header fields to an answer. */
async function servers(t, options) {
  const hono = new Hono();
  hono.use(honoUser(options));
  hono.get("/", (c) => c.json({ user: c.get("user")?.sub ?? null }));
  const app = express();
  app.use(expressUser(options));
  app.get("/", (_request, response) => response.json({ user: response.locals.user?.sub ?? null }));
  const server = app.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.closeAllConnections(), server.close()));
  return [
    (headers) => hono.request("/", { headers }),
    (headers) => fetch(`http://127.0.0.1:${server.address().port}/`, { headers }),
  ];
}

test("the middleware of Express and Hono says who it is, and answers what is not valid", async (t) => {
  const worker = await keyPair("worker");
  const stranger = await keyPair("stranger");
  const { url } = await withKeys(t, [worker]);
  const errors = [];
  const onError = (error) => errors.push(error.code);
  const options = { issuer: ISSUER, audience: AUDIENCE, jwksUri: url, onError };
  for (const ask of await servers(t, options)) {
    const good = await ask({ "x-vestibule-assertion": await assertion(worker) });
    assert.deepEqual(await good.json(), { user: "00u1a2b3" });
    assert.deepEqual(await (await ask({})).json(), { user: null });
    const bad = await ask({ "x-vestibule-assertion": await assertion(stranger) });
    assert.equal(bad.status, 401);
    assert.deepEqual(await bad.json(), { error: "unauthorized" });
    assert.equal(bad.headers.get("cache-control"), "private, no-store");
    assert.equal(errors.pop(), "unknown_key");
  }
  for (const ask of await servers(t, { ...options, required: true })) {
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ "x-vestibule-assertion": await assertion(worker) })).status, 200);
  }
  const unreachable = { ...options, fetch: async () => new Response(null, { status: 500 }) };
  for (const ask of await servers(t, unreachable)) {
    const answer = await ask({ "x-vestibule-assertion": await assertion(worker) });
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("retry-after"), "10");
  }
});

test("a mistake in the options is no answer to a client but an error", async (t) => {
  t.mock.method(console, "error", () => {});
  for (const ask of await servers(t, { issuer: ISSUER })) {
    assert.equal((await ask({ "x-vestibule-assertion": "a.b.c" })).status, 500);
  }
});
