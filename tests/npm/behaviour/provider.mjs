// The keys of a Worker and assertions that are signed with them, with the library jose; and a server for the key set.
import { createServer } from "node:http";
import { SignJWT, exportJWK, generateKeyPair } from "jose";

export const ISSUER = "https://app.example.com/auth";
export const AUDIENCE = "https://backend.example.net";

/** A key pair with its `kid`, as the Worker publishes it. */
export async function keyPair(kid, alg = "ES256") {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}

/** An assertion; `claims` and `header` replace what a good one has, and `undefined` leaves it out. */
export async function assertion(key, { claims = {}, header = {} } = {}) {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: "00u1a2b3",
    provider: "okta",
    email: "alice@example.com",
    roles: ["admin", "user"],
    iat: now,
    exp: now + 60,
    jti: "1",
    ...claims,
  };
  return await new SignJWT(JSON.parse(JSON.stringify(payload)))
    .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "JWT", ...header })
    .sign(key.privateKey);
}

/** A server that answers each request with `answer(request, response)`, and counts them. */
export async function keyServer(t, answer) {
  const server = createServer((request, response) => {
    state.requests += 1;
    answer(request, response);
  });
  const state = { requests: 0 };
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  state.url = `http://127.0.0.1:${server.address().port}/auth/jwks.json`;
  return state;
}

/** A server with these keys. */
export function withKeys(t, keys) {
  return keyServer(t, (_request, response) => {
    response.setHeader("content-type", "application/jwk-set+json");
    response.end(JSON.stringify({ keys: (typeof keys === "function" ? keys() : keys).map((key) => key?.jwk ?? key) }));
  });
}

/** A request with that assertion, as Node.js has it and as Fetch has it. */
export function requests(token) {
  return [
    { headers: { "x-vestibule-assertion": token } },
    new Request("https://backend.example.net/", { headers: { "X-Vestibule-Assertion": token } }),
  ];
}
