// Signs tokens with keys of every algorithm, for a provider that may be malicious. It uses node:crypto, because JWT
// libraries refuse weak keys, and headers that name another algorithm than the signature's.
//
// The first line of output contains the public keys by name. Then each line of input, {key, alg, header, claims}, gives a
// line of output, the token.
import { constants, generateKeyPairSync, sign } from "node:crypto";
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

const jwks = Object.entries(KEYS).map(([name, { publicKey }]) => [name, publicKey.export({ format: "jwk" })]);
console.log(JSON.stringify(Object.fromEntries(jwks)));

for await (const line of createInterface({ input: process.stdin })) {
  const { key, alg, header, claims } = JSON.parse(line);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${part(header)}.${part(claims)}`;
  console.log(`${input}.${signature(alg, KEYS[key].privateKey, Buffer.from(input)).toString("base64url")}`);
}

// RFC 7518 sections 3.2 to 3.5, RFC 8037 section 3.1.
function signature(alg, key, input) {
  if (alg === "EdDSA") return sign(null, input, key);
  const hash = `sha${alg.slice(2)}`;
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  switch (alg.slice(0, 2)) {
    case "RS":
      return sign(hash, input, key);
    case "PS":
      return sign(hash, input, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
    case "ES":
      return sign(hash, input, { key, dsaEncoding: "ieee-p1363" });
    default:
      throw new Error(`unknown algorithm ${alg}`);
  }
}
