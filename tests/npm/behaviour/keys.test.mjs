// The key set: kept, bounded, fetched again for an unknown key; and servers that lie or hang.
import assert from "node:assert/strict";
import { test } from "node:test";
import { VerificationError, verifyAssertion } from "@vestibule-auth/edge/server";
import { AUDIENCE, ISSUER, assertion, keyPair, keyServer, requests, withKeys } from "./provider.mjs";

const first = await keyPair("first");
const second = await keyPair("second");

/** Verifies with a clock that the test sets. */
function verifier(url, more = {}) {
  const clock = { ahead: 0 };
  const options = { issuer: ISSUER, audience: AUDIENCE, jwksUri: url, now: () => Date.now() + clock.ahead, ...more };
  const at = async (key) => {
    const seconds = Math.floor((Date.now() + clock.ahead) / 1000);
    const token = await assertion(key, { claims: { iat: seconds, exp: seconds + 60 } });
    return await verifyAssertion(requests(token)[0], options).then(
      () => "valid",
      (error) => {
        assert.ok(error instanceof VerificationError, String(error.stack));
        return `${error.code}: ${error.message}`;
      },
    );
  };
  return { at, clock };
}

test("one request serves many assertions for five minutes", async (t) => {
  const server = await withKeys(t, [first]);
  const { at, clock } = verifier(server.url);
  assert.deepEqual(new Set(await Promise.all(Array.from({ length: 50 }, () => at(first)))), new Set(["valid"]));
  assert.equal(server.requests, 1);
  clock.ahead = 4 * 60_000;
  assert.equal(await at(first), "valid");
  assert.equal(server.requests, 1);
  clock.ahead = 6 * 60_000;
  assert.equal(await at(first), "valid");
  assert.equal(server.requests, 2);
});

test("an unknown key fetches the set again, and not for every request", async (t) => {
  let keys = [first];
  const server = await withKeys(t, () => keys);
  const { at, clock } = verifier(server.url);
  assert.equal(await at(first), "valid");
  for (let i = 0; i < 20; i += 1) assert.match(await at(second), /^unknown_key/);
  assert.equal(server.requests, 1);
  keys = [second, first];
  clock.ahead = 11_000;
  const outcomes = await Promise.all(Array.from({ length: 20 }, (_, i) => at(i % 2 ? first : second)));
  assert.deepEqual(new Set(outcomes), new Set(["valid"]));
  assert.equal(server.requests, 2);
});

test("a key that is no longer published is refused once the set is fetched again", async (t) => {
  let keys = [first];
  const server = await withKeys(t, () => keys);
  const { at, clock } = verifier(server.url);
  assert.equal(await at(first), "valid");
  keys = [second];
  clock.ahead = 6 * 60_000;
  assert.match(await at(first), /^unknown_key/);
});

test("an outage ends nothing for an hour, and a server that is down is asked every ten seconds", async (t) => {
  let isDown = false;
  const server = await keyServer(t, (_request, response) => {
    response.statusCode = isDown ? 500 : 200;
    response.end(JSON.stringify({ keys: [first.jwk] }));
  });
  const { at, clock } = verifier(server.url);
  assert.equal(await at(first), "valid");
  isDown = true;
  clock.ahead = 59 * 60_000;
  for (let i = 0; i < 20; i += 1) assert.equal(await at(first), "valid");
  assert.equal(server.requests, 2);
  assert.match(await at(second), /^keys_unavailable: .*status 500/);
  clock.ahead = 61 * 60_000;
  assert.match(await at(first), /^keys_unavailable: .*status 500/);
  isDown = false;
  clock.ahead = 62 * 60_000;
  assert.equal(await at(first), "valid");
});

test("keys that lie are not used", async (t) => {
  const secret = { kty: "oct", kid: "first", k: "c2VjcmV0", alg: "HS256" };
  const offCurve = { ...first.jwk, x: first.jwk.y };
  const encryption = { ...first.jwk, use: "enc" };
  const renamed = { ...first.jwk, alg: "RS256" };
  const nobody = { ...first.jwk, kid: undefined };
  for (const keys of [[], [secret], [offCurve], [encryption], [renamed], [nobody], [null, 7, "x"], [first.jwk, second.jwk].map((key) => ({ ...key, kid: "first" }))]) {
    const server = await withKeys(t, keys);
    assert.match(await verifier(server.url).at(first), /^unknown_key/, JSON.stringify(keys));
  }
  const server = await withKeys(t, [second]);
  for (const kid of ["__proto__", "constructor", "toString", ""]) {
    assert.match(await verifier(server.url).at({ ...second, kid }), /^unknown_key/);
  }
  const both = await withKeys(t, [secret, { kty: "RSA", kid: "rsa" }, first]);
  assert.equal(await verifier(both.url).at(first), "valid");
});

test("an answer that is no key set is named", async (t) => {
  const answers = [
    [(response) => response.end("<html>"), /not JSON/],
    [(response) => response.end("null"), /no list/],
    [(response) => response.end('{"keys":{}}'), /no list/],
    [(response) => response.end(Buffer.from([0xff, 0xfe])), /keys_unavailable/],
    [(response) => response.writeHead(404).end(), /404.*assertion = true/],
    [(response) => response.writeHead(302, { location: "https://evil.example/" }).end(), /status 302/],
    [(response) => response.destroy(), /keys_unavailable/],
    [(response) => response.end(" ".repeat(65 * 1024)), /longer than/],
  ];
  for (const [answer, expected] of answers) {
    const server = await keyServer(t, (_request, response) => answer(response));
    const got = await verifier(server.url).at(first);
    assert.match(got, /^keys_unavailable/);
    assert.match(got, expected);
  }
});

test("a body without end is cut off", async (t) => {
  let isClosed;
  const closed = new Promise((resolve) => (isClosed = resolve));
  const server = await keyServer(t, (request, response) => {
    const write = () => {
      while (response.write(" ".repeat(1024)));
      response.once("drain", write);
    };
    response.on("close", isClosed);
    write();
  });
  assert.match(await verifier(server.url).at(first), /^keys_unavailable: .*longer than/);
  await closed;
});

test("a server that hangs delays nobody for longer than the timeout", async (t) => {
  for (const hang of [() => {}, (response) => response.write("{")]) {
    const server = await keyServer(t, (_request, response) => hang(response));
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => verifier(server.url, { timeout: 50 }).at(first)));
    for (const outcome of outcomes) assert.match(outcome, /^keys_unavailable/);
    assert.equal(server.requests, 1);
  }
});

test("a `fetch` that ignores its signal delays nobody either, and another request takes over later", async () => {
  let calls = 0;
  const fetch = async () => {
    calls += 1;
    if (calls === 1) return await new Promise(() => {});
    return Response.json({ keys: [first.jwk] });
  };
  const { at, clock } = verifier("https://app.example.com/auth/jwks.json", { fetch, timeout: 20 });
  const outcomes = await Promise.all([at(first), at(first)]);
  for (const outcome of outcomes) assert.match(outcome, /^keys_unavailable: .*20 ms/);
  clock.ahead = 11_000;
  assert.equal(await at(first), "valid");
  assert.equal(calls, 2);
});

test("issuers have their own keys", async () => {
  const other = "https://other.example.com/auth";
  const asked = [];
  const fetch = async (url) => {
    asked.push(url);
    return Response.json({ keys: [(url.startsWith(other) ? second : first).jwk] });
  };
  const options = { issuer: [ISSUER, other], audience: AUDIENCE, fetch };
  const verify = async (key, iss) =>
    await verifyAssertion(requests(await assertion(key, { claims: { iss } }))[1], options).then(
      () => "valid",
      (error) => error.code,
    );
  assert.equal(await verify(first, ISSUER), "valid");
  assert.equal(await verify(second, other), "valid");
  assert.equal(await verify(second, ISSUER), "unknown_key");
  assert.deepEqual(asked, [`${ISSUER}/jwks.json`, `${other}/jwks.json`]);
});
