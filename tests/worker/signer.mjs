// Signs tokens with keys of every algorithm, for a provider that may be malicious. It uses node:crypto, because JWT
// libraries refuse weak keys, and headers that name another algorithm than the signature's.
//
// The first line of output contains the public keys by name. Then each line of input, {key, alg, header, claims}, gives a
// line of output, the token; or {jwk, alg, token}, whether that key has signed it.
import { constants, createPublicKey, generateKeyPairSync, sign, verify } from "node:crypto";
import { createInterface } from "node:readline";

const rsa = (modulusLength) => generateKeyPairSync("rsa", { modulusLength });
const ec = (namedCurve) => generateKeyPairSync("ec", { namedCurve });

const KEYS = {
  RSA: rsa(2048),
  weak: rsa(1024),
  "P-256": ec("P-256"),
  "P-384": ec("P-384"),
  Ed25519: generateKeyPairSync("ed25519"),
  stranger: rsa(2048),
};

const OPTIONS = {
  RS: {},
  PS: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
  ES: { dsaEncoding: "ieee-p1363" },
  Ed: {},
};

const jwks = Object.entries(KEYS).map(([name, { publicKey }]) => [name, publicKey.export({ format: "jwk" })]);
console.log(JSON.stringify(Object.fromEntries(jwks)));

for await (const line of createInterface({ input: process.stdin })) {
  const { key, alg, header, claims, jwk, token } = JSON.parse(line);
  if (jwk) {
    console.log(isSigned(alg, jwk, token));
    continue;
  }
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${part(header)}.${part(claims)}`;
  console.log(`${input}.${signature(alg, KEYS[key].privateKey, Buffer.from(input)).toString("base64url")}`);
}

function isSigned(alg, jwk, token) {
  const end = token.lastIndexOf(".");
  const signature = Buffer.from(token.slice(end + 1), "base64url");
  const key = { key: createPublicKey({ key: jwk, format: "jwk" }), ...OPTIONS[alg.slice(0, 2)] };
  const hash = alg === "EdDSA" ? null : `sha${alg.slice(2)}`;
  return verify(hash, Buffer.from(token.slice(0, end)), key, signature);
}

// RFC 7518 sections 3.2 to 3.5, RFC 8037 section 3.1.
function signature(alg, key, input) {
  if (alg === "EdDSA") return sign(null, input, key);
  const hash = `sha${alg.slice(2)}`;
  const options = OPTIONS[alg.slice(0, 2)];
  if (!options) throw new Error(`unknown algorithm ${alg}`);
  return sign(hash, input, { key, ...options });
}
