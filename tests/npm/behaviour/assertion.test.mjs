// `verifyAssertion` with good assertions and hostile ones.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { exportSPKI } from "jose";
import { VerificationError, user, verifyAssertion } from "@vestibule-auth/edge/server";
import { AUDIENCE, ISSUER, assertion, keyPair, requests, withKeys } from "./provider.mjs";

const worker = await keyPair("worker-1");

/** Options for a server with the Worker's key. */
async function options(t, more = {}) {
  const { url } = await withKeys(t, [worker]);
  return { issuer: ISSUER, audience: AUDIENCE, jwksUri: url, ...more };
}

async function refused(request, options, code, text = "") {
  await assert.rejects(verifyAssertion(request, options), (error) => {
    assert.ok(error instanceof VerificationError, String(error));
    assert.equal(error.code, code, error.message);
    assert.ok(error.message.includes(text), error.message);
    assert.equal(error.status, code === "keys_unavailable" ? 503 : 401);
    return true;
  });
}

const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

test("an assertion of the Worker gives its claims, for Node.js and for Fetch", async (t) => {
  const settings = await options(t);
  const token = await assertion(worker);
  for (const request of requests(token)) {
    const claims = await verifyAssertion(request, settings);
    assert.equal(claims.sub, "00u1a2b3");
    assert.deepEqual(claims.roles, ["admin", "user"]);
    assert.deepEqual(await user(request, settings), {
      sub: "00u1a2b3",
      provider: "okta",
      account: "okta:00u1a2b3",
      name: null,
      email: "alice@example.com",
      claims: { roles: ["admin", "user"] },
    });
  }
  assert.equal((await verifyAssertion({ headers: { "X-Vestibule-Assertion": token } }, settings)).sub, "00u1a2b3");
  assert.equal((await verifyAssertion(new Headers({ "x-vestibule-assertion": token }), settings)).sub, "00u1a2b3");
});

test("without an assertion there is no user, and verifying is an error", async (t) => {
  const settings = await options(t);
  for (const request of [{ headers: {} }, new Request("https://backend.example.net/")]) {
    assert.equal(await user(request, settings), null);
    await refused(request, settings, "missing");
  }
  await assert.rejects(user(undefined, settings), TypeError);
  await assert.rejects(user({ headers: null }, settings), TypeError);
});

test("an assertion that is not valid is an error and not a signed-out user", async (t) => {
  const settings = await options(t);
  for (const token of ["", "evil", "a.b.c", "..", "e30.e30.", "bnVsbA.bnVsbA.bnVsbA"]) {
    await assert.rejects(user({ headers: { "x-vestibule-assertion": token } }, settings), VerificationError);
  }
});

test("the algorithm is ES256 whatever the token says", async (t) => {
  const settings = await options(t);
  const claims = base64url({ iss: ISSUER, aud: AUDIENCE, sub: "eve", exp: 4e9 });
  for (const alg of ["none", "None", "NONE", "", "es256", undefined, null, ["ES256"]]) {
    const token = `${base64url({ alg, kid: worker.kid })}.${claims}.`;
    await refused({ headers: { "x-vestibule-assertion": token } }, settings, "wrong_algorithm");
  }
  // The public key as the secret of an HMAC.
  for (const secret of [await exportSPKI(worker.publicKey), JSON.stringify(worker.jwk)]) {
    const signed = `${base64url({ alg: "HS256", kid: worker.kid })}.${claims}`;
    const mac = createHmac("sha256", secret).update(signed).digest("base64url");
    await refused({ headers: { "x-vestibule-assertion": `${signed}.${mac}` } }, settings, "wrong_algorithm", "HS256");
    const renamed = `${base64url({ alg: "ES256", kid: worker.kid })}.${claims}`;
    const other = createHmac("sha512", secret).update(renamed).digest("base64url");
    await refused({ headers: { "x-vestibule-assertion": `${renamed}.${other}` } }, settings, "wrong_signature");
  }
  const rsa = await keyPair(worker.kid, "RS256");
  await refused(requests(await assertion(rsa))[0], settings, "wrong_algorithm", "RS256");
});

test("a signature of nothing, of another key or of another text does not verify", async (t) => {
  const settings = await options(t);
  const token = await assertion(worker);
  const [header, payload, signature] = token.split(".");
  const zeros = Buffer.alloc(64).toString("base64url");
  const claims = JSON.parse(Buffer.from(payload, "base64url"));
  const bent = base64url({ ...claims, sub: "eve" });
  for (const bad of [
    `${header}.${payload}.`,
    `${header}.${payload}.${zeros}`,
    `${header}.${payload}.${signature.slice(0, 40)}`,
    `${header}.${bent}.${signature}`,
  ]) {
    await refused({ headers: { "x-vestibule-assertion": bad } }, settings, "wrong_signature");
  }
  const other = await keyPair(worker.kid);
  await refused(requests(await assertion(other))[1], settings, "wrong_signature");
});

test("keys in the header of a token are not looked at", async (t) => {
  const settings = await options(t);
  const own = await keyPair("mallory");
  const header = { jwk: own.jwk, jku: "https://evil.example/jwks.json", x5u: "https://evil.example/" };
  await refused(requests(await assertion(own, { header }))[0], settings, "unknown_key", "mallory");
  const token = await assertion({ ...own, kid: worker.kid }, { header });
  await refused(requests(token)[0], settings, "wrong_signature");
  const critical = `${base64url({ alg: "ES256", kid: worker.kid, crit: ["b64"], b64: false })}.e30.AA`;
  await refused({ headers: { "x-vestibule-assertion": critical } }, settings, "malformed", "crit");
});

test("issuer and audience are those of this server, and several may be named", async (t) => {
  const settings = await options(t);
  const token = async (claims) => requests(await assertion(worker, { claims }))[0];
  await refused(await token({ iss: "https://evil.example/auth" }), settings, "wrong_issuer", "evil.example");
  for (const iss of [undefined, null, [ISSUER], `${ISSUER}/`, ISSUER.toUpperCase()]) {
    await refused(await token({ iss }), settings, "wrong_issuer");
  }
  for (const aud of [undefined, "https://other.example.net", `${AUDIENCE}/`, [], ["service:OTHER"], { a: AUDIENCE }]) {
    await refused(await token({ aud }), settings, "wrong_audience");
  }
  const several = { ...settings, issuer: ["https://www.example.com/auth", ISSUER], audience: ["service:APP", AUDIENCE] };
  assert.equal((await verifyAssertion(await token({}), several)).sub, "00u1a2b3");
  assert.equal((await verifyAssertion(await token({ aud: [AUDIENCE, "x"] }), several)).sub, "00u1a2b3");
});

test("a token of an issuer that is not configured makes no request", async (t) => {
  const server = await withKeys(t, [worker]);
  const issuer = "https://app.example.com/auth";
  const settings = { issuer, audience: AUDIENCE, jwksUri: server.url };
  const token = await assertion(worker, { claims: { iss: server.url.replace("/jwks.json", "") } });
  await refused(requests(token)[0], settings, "wrong_issuer");
  assert.equal(server.requests, 0);
});

test("times are checked with a tolerance for clocks", async (t) => {
  const now = Math.floor(Date.now() / 1000);
  const settings = await options(t, { now: () => now * 1000 });
  const token = async (claims) => requests(await assertion(worker, { claims }))[0];
  assert.ok(await verifyAssertion(await token({ exp: now - 4 }), settings));
  await refused(await token({ exp: now - 5 }), settings, "expired", "5 seconds ago");
  await refused(await token({ exp: undefined }), settings, "incomplete", "exp");
  await refused(await token({ exp: "4000000000" }), settings, "incomplete", "exp");
  assert.ok(await verifyAssertion(await token({ nbf: now + 5, iat: now + 5 }), settings));
  await refused(await token({ nbf: now + 6 }), settings, "not_yet_valid", "nbf");
  await refused(await token({ iat: now + 6 }), settings, "not_yet_valid", "iat");
  await refused(await token({ nbf: "soon" }), settings, "malformed");
  await refused(await token({ exp: now - 4 }), { ...settings, clockTolerance: 0 }, "expired");
  for (const sub of [undefined, "", 7]) await refused(await token({ sub }), settings, "incomplete", "sub");
});

test("a huge header, one that came twice and one that is no text are refused", async (t) => {
  const settings = await options(t);
  const token = await assertion(worker);
  await refused({ headers: { "x-vestibule-assertion": "a".repeat(16 * 1024 + 1) } }, settings, "too_large");
  await refused({ headers: { "x-vestibule-assertion": [token, token] } }, settings, "malformed");
  const twice = new Headers();
  twice.append("x-vestibule-assertion", token);
  twice.append("x-vestibule-assertion", token);
  await refused(twice, settings, "malformed", "several times");
  for (const bad of [`${token}=`, `${token}\n`, `${token} `, token.replace(".", "..")]) {
    await refused({ headers: { "x-vestibule-assertion": bad } }, settings, "malformed");
  }
});

test("no message has the assertion, and a stranger's text is short and on one line", async (t) => {
  const settings = await options(t);
  const claims = { iss: `evil\nline ${"x".repeat(5000)}` };
  const token = await assertion(worker, { claims });
  const error = await verifyAssertion(requests(token)[0], settings).catch((error) => error);
  assert.equal(error.code, "wrong_issuer");
  assert.ok(error.message.length < 300 && !error.message.includes("\n"), error.message);
  assert.ok(!JSON.stringify(error).includes(token) && !error.stack.includes(token));
});

test("options that are wrong are named", async () => {
  const request = { headers: { "x-vestibule-assertion": "a.b.c" } };
  const good = { issuer: ISSUER, audience: AUDIENCE };
  for (const [options, name] of [
    [undefined, "options"],
    [{ audience: AUDIENCE }, "issuer"],
    [{ issuer: ISSUER }, "audience"],
    [{ ...good, issuer: [] }, "issuer"],
    [{ ...good, issuer: "app.example.com" }, "issuer"],
    [{ ...good, issuer: "http://app.example.com/auth" }, "issuer"],
    [{ ...good, jwksUri: "http://10.0.0.1/jwks.json" }, "jwksUri"],
    [{ ...good, audience: "" }, "audience"],
    [{ ...good, clockTolerance: 3600 }, "clockTolerance"],
    [{ ...good, timeout: Number.NaN }, "timeout"],
    [{ ...good, fetch: "fetch" }, "fetch"],
  ]) {
    await assert.rejects(verifyAssertion(request, options), (error) => {
      assert.ok(error instanceof TypeError && error.message.includes(name), String(error));
      return true;
    });
  }
});
