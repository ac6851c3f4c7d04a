// The same as upstream.mjs with the helpers of the npm package: each line gives the user, or the code of the error.
import { createInterface } from "node:readline";
import { user } from "../../npm/server/index.js";

for await (const line of createInterface({ input: process.stdin })) {
  const { keys, token, issuer, audience } = JSON.parse(line);
  const request = { headers: { "x-vestibule-assertion": token } };
  const found = user(request, { issuer, audience, jwksUri: keys }).catch((error) => ({ error: error.code ?? String(error) }));
  console.log(JSON.stringify(await found));
}
