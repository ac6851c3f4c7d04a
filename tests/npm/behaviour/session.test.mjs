// `fetchToken` and `getSession` with the answers of the Worker's routes (docs/routes.md).
import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenError, fetchToken, getSession } from "@vestibule-auth/edge/session";
import { fetchToken as fromServer } from "@vestibule-auth/edge/server";

function answers(status, body, headers = {}) {
  const seen = [];
  const fetch = async (url, init) => {
    seen.push({ url, init });
    return new Response(body === undefined ? null : JSON.stringify(body), { status, headers });
  };
  return { fetch, seen };
}

test("fetchToken asks as the Worker wants it, and gives the token", async () => {
  const { fetch, seen } = answers(200, { access_token: "abc", expires_at: 1795000000 });
  assert.deepEqual(await fetchToken({ fetch }), {
    accessToken: "abc",
    expiresAt: new Date(1795000000 * 1000),
    tokenType: "Bearer",
  });
  assert.equal(seen[0].url, "/auth/token");
  assert.equal(seen[0].init.headers["X-Vestibule-Token"], "1");
  await fetchToken({ fetch, origin: "https://app.example.com/", basePath: "/api/auth/" });
  assert.equal(seen[1].url, "https://app.example.com/api/auth/token");
  const bound = answers(200, { access_token: "abc", expires_at: null, token_type: "DPoP" });
  assert.deepEqual(await fetchToken({ fetch: bound.fetch }), { accessToken: "abc", expiresAt: null, tokenType: "DPoP" });
  assert.equal(fromServer, fetchToken);
});

test("why there is no token is typed", async () => {
  const signInUrl = "https://app.example.com/auth/signin";
  for (const [answer, expected] of [
    [answers(401, { error: "unauthorized" }), { code: "signed_out" }],
    [answers(401, { error: "token_expired", signInUrl }), { code: "token_expired", signInUrl }],
    [answers(403, { error: "forbidden" }), { code: "forbidden" }],
    [answers(503, {}, { "retry-after": "7" }), { code: "unavailable", retryAfter: 7 }],
    [answers(429, {}, {}), { code: "unavailable", retryAfter: undefined }],
    [answers(302, undefined, { location: "/auth/error" }), { code: "not_exposed" }],
    [answers(200, { access_token: null }), { code: "signed_out" }],
    [answers(500, { error: "server_error" }), { code: "not_exposed" }],
    [{ fetch: async () => { throw new TypeError("fetch failed"); } }, { code: "unavailable" }],
  ]) {
    const error = await fetchToken({ fetch: answer.fetch }).catch((error) => error);
    assert.ok(error instanceof TokenError, String(error));
    for (const [name, value] of Object.entries(expected)) assert.equal(error[name], value, error.message);
  }
});

test("scripts that ask together send one request, and one that gives up ends it for no other", async (t) => {
  let calls = 0;
  let answer;
  t.mock.method(globalThis, "fetch", () => {
    calls += 1;
    return new Promise((resolve) => (answer = resolve));
  });
  const impatient = new AbortController();
  const tokens = [fetchToken(), fetchToken(), fetchToken({ signal: impatient.signal })];
  impatient.abort();
  await assert.rejects(tokens[2], { name: "AbortError" });
  answer(Response.json({ access_token: "abc" }));
  assert.deepEqual((await Promise.all(tokens.slice(0, 2))).map((token) => token.accessToken), ["abc", "abc"]);
  assert.equal(calls, 1);
  const later = fetchToken();
  answer(Response.json({ access_token: "def" }));
  assert.equal((await later).accessToken, "def");
});

test("getSession gives the session, and null for nobody in both dialects", async () => {
  const session = { user: { name: "Alice", roles: ["admin"] }, expires: "2027-01-01T00:00:00.000Z" };
  const { fetch, seen } = answers(200, session);
  assert.deepEqual(await getSession({ fetch }), session);
  assert.equal(seen[0].url, "/auth/session");
  assert.equal(await getSession({ fetch: answers(200, null).fetch }), null);
  assert.equal(await getSession({ fetch: answers(200, {}).fetch }), null);
  await assert.rejects(getSession({ fetch: answers(503, {}).fetch }), /status 503/);
});
