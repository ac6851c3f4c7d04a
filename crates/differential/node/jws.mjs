// Signed tokens: jose 6.
import { constants, createPrivateKey, sign } from "node:crypto"
import { readFileSync } from "node:fs"
import * as jose from "jose"

const keys = JSON.parse(readFileSync(new URL("../keys.json", import.meta.url)))
const privateKeys = new Map(
  keys.map(({ name, pkcs8 }) => [
    name,
    createPrivateKey({ key: Buffer.from(pkcs8, "base64"), format: "der", type: "pkcs8" }),
  ]),
)

// Importing the keys of a set costs more than verifying a signature.
const sets = new Map()
const keySet = (jwks) => {
  const text = JSON.stringify(jwks)
  if (!sets.has(text)) {
    if (sets.size > 5000) sets.clear()
    sets.set(text, jose.createLocalJWKSet(jwks))
  }
  return sets.get(text)
}

// If several keys fit, jose leaves it to the caller to try each, as its documentation shows.
const withEach = async (getKey, work) => {
  try {
    return await work(getKey)
  } catch (error) {
    if (error?.code !== "ERR_JWKS_MULTIPLE_MATCHING_KEYS") throw error
    for await (const key of error) {
      try {
        return await work(key)
      } catch (inner) {
        if (inner?.code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") throw inner
      }
    }
    throw new jose.errors.JWSSignatureVerificationFailed()
  }
}

const verified = async ({ token, jwks, secret, algorithms, expected }) => {
  const key = secret === undefined ? keySet(jwks) : new TextEncoder().encode(secret)
  const verify = secret === undefined ? (work) => withEach(key, work) : (work) => work(key)
  if (!expected) {
    const { payload } = await verify((one) => jose.compactVerify(token, one, { algorithms }))
    const claims = JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload))
    if (claims === null || typeof claims !== "object" || Array.isArray(claims)) throw new Error("no object")
    return JSON.stringify(claims)
  }
  const options = {
    algorithms,
    issuer: expected.issuer,
    audience: expected.audience,
    clockTolerance: 60,
    requiredClaims: ["exp", "sub"],
    // Only so that `iat` is required, and compared with the clock.
    maxTokenAge: "1000 years",
  }
  return JSON.stringify((await verify((one) => jose.jwtVerify(token, one, options))).payload)
}

const b64 = (text) => Buffer.from(text).toString("base64url")

const made = ({ key, alg, header, payload, saltLength }) => {
  const input = `${b64(header)}.${b64(payload)}`
  const hash = alg === "EdDSA" ? null : `sha${alg.slice(2)}`
  const options = { key: privateKeys.get(key), dsaEncoding: "ieee-p1363" }
  if (alg.startsWith("PS")) {
    Object.assign(options, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })
  }
  return `${input}.${sign(hash, Buffer.from(input), options).toString("base64url")}`
}

export const families = {
  jws: verified,
  id_token: verified,
  jws_of_jose: async (one) => {
    const token = made(one)
    let opened
    try {
      opened = { ok: await verified({ ...one, token }) }
    } catch (error) {
      opened = { error: String(error.message ?? error) }
    }
    return { token, opened }
  },
}
