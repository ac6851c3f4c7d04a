// Sealed sessions: the code of both generations of Auth.js, and the versions of jose that they use.
import { createRequire } from "node:module"
import { hkdfSync } from "node:crypto"
import * as v5 from "@auth/core/jwt"
import * as jose6 from "jose"
import v4 from "next-auth-v4/jwt"

const require = createRequire(import.meta.url)
const jose4 = createRequire(require.resolve("next-auth-v4/jwt"))("jose")

const authjs = { v5, v4 }
// The claims as a text: the answer itself must not contain half a surrogate pair.
const claims = async (dialect, { token, secrets, salt }) =>
  JSON.stringify(
    await authjs[dialect].decode({ token, secret: dialect === "v5" ? secrets : secrets[0], salt }),
  )

const key = (dialect, enc, secret, salt) => {
  const info =
    dialect === "v5"
      ? `Auth.js Generated Encryption Key (${salt})`
      : `NextAuth.js Generated Encryption Key${salt ? ` (${salt})` : ""}`
  return new Uint8Array(hkdfSync("sha256", secret, salt, info, enc === "A256CBC-HS512" ? 64 : 32))
}

// With a header of its own a token is made by jose, without one by Auth.js.
const make = async ({ dialect, claims, secrets, salt, maxAge, header }) => {
  const secret = secrets[0]
  if (!header) return authjs[dialect].encode({ token: JSON.parse(claims), secret, salt, maxAge })
  const jose = dialect === "v5" ? jose6 : jose4
  return new jose.CompactEncrypt(new TextEncoder().encode(claims))
    .setProtectedHeader(header)
    .encrypt(key(dialect, header.enc, secret, salt))
}

export const families = {
  jwe: (one) => claims(one.dialect, one),
  jwe_of_authjs: async (one) => {
    const token = await make(one)
    let opened
    try {
      opened = { ok: await claims(one.dialect, { ...one, token }) }
    } catch (error) {
      opened = { error: String(error.message ?? error) }
    }
    return { token, opened }
  },
}
