// Checks X-Vestibule-Assertion in an upstream, with the library and the calls of docs/upstreams.md. Each line of input,
// {keys, token, issuer, audience}, gives a line of output: the header and the claims, or the code of the error.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";

const sets = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const { keys, token, issuer, audience } = JSON.parse(line);
  // One key set for the whole process: it caches the keys, and fetches them again for an unknown `kid`.
  if (!sets.has(keys)) sets.set(keys, createRemoteJWKSet(new URL(keys)));
  const checked = jwtVerify(token, sets.get(keys), { issuer, audience, algorithms: ["ES256"] });
  console.log(
    JSON.stringify(
      await checked.then(
        ({ payload, protectedHeader }) => ({ header: protectedHeader, claims: payload }),
        (error) => ({ error: error.code }),
      ),
    ),
  );
}
