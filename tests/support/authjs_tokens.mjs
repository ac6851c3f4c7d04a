// Auth.js's side of tests/authjs_tokens.rs: a list of jobs as JSON on stdin, their results on stdout.
// Version 5 is @auth/core's own code; version 4 is what next-auth 4 does in its jwt/index.js, with the
// same libraries, because one project cannot have both installed.
import { text } from "node:stream/consumers"
import { decode, encode } from "@auth/core/jwt"
import { hkdf } from "@panva/hkdf"
import { EncryptJWT, jwtDecrypt } from "jose"

const key4 = (secret, salt) =>
  hkdf("sha256", secret, salt, `NextAuth.js Generated Encryption Key${salt ? ` (${salt})` : ""}`, 32)

const jobs = {
  "v5 encode": ({ claims, secret, salt, maxAge }) => encode({ token: claims, secret, salt, maxAge }),
  "v5 decode": ({ token, secret, salt }) => decode({ token, secret, salt }),
  "v4 encode": async ({ claims, secret, salt, maxAge }) =>
    new EncryptJWT(claims)
      .setProtectedHeader({ alg: "dir", enc: "A256GCM" })
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + maxAge)
      .setJti(crypto.randomUUID())
      .encrypt(await key4(secret, salt)),
  "v4 decode": async ({ token, secret, salt }) =>
    (await jwtDecrypt(token, await key4(secret, salt), { clockTolerance: 15 })).payload,
}

const results = []
for (const job of JSON.parse(await text(process.stdin))) {
  try {
    results.push({ ok: await jobs[job.job](job) })
  } catch (error) {
    results.push({ error: String(error) })
  }
}
process.stdout.write(JSON.stringify(results))
