// An upstream's half of X-Vestibule-Assertion, with the library and the calls of docs/upstreams.md. For every line in,
// {keys, token, issuer, audience}, one line out: the header and the claims, or the code of what is wrong.
import { createInterface } from "node:readline";
import { createRemoteJWKSet, jwtVerify } from "jose";

const sets = new Map();

for await (const line of createInterface({ input: process.stdin })) {
  const { keys, token, issuer, audience } = JSON.parse(line);
  // One for the process's life: it keeps the keys, and asks again for one that it does not know.
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
