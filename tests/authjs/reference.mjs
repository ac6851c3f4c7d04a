// The real Auth.js, as the reference for the comparison. Each line on stdin is a request in JSON and gives a line on stdout,
// the response. `authjs-v5` is @auth/core's `Auth()`, which next-auth 5 calls for every request; `next-auth-v4` is
// next-auth 4's handler, called like an API route of Next.js. The first line on stdout is the port of the provider that
// both of them and Vestibule use.
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { createInterface } from "node:readline"
import { Auth, customFetch } from "@auth/core"
import { CredentialsSignin } from "@auth/core/errors"
import { SignJWT, exportJWK, generateKeyPair } from "jose"
import nextAuth from "next-auth-v4/next"

const ISSUER = "https://idp.example"
const CLIENT = { clientId: "vestibule", clientSecret: "acme-secret" }
const CHECKS = ["pkce", "state", "nonce"]
const SECRET = process.env.REFERENCE_SECRET

// ---- the provider ----

const { publicKey, privateKey } = await generateKeyPair("ES256")
const jwk = { ...(await exportJWK(publicKey)), kid: "key-1", use: "sig", alg: "ES256" }
const metadata = {
  issuer: ISSUER,
  authorization_endpoint: `${ISSUER}/authorize`,
  token_endpoint: `${ISSUER}/token`,
  userinfo_endpoint: `${ISSUER}/userinfo`,
  jwks_uri: `${ISSUER}/jwks`,
  response_types_supported: ["code"],
  subject_types_supported: ["public"],
  id_token_signing_alg_values_supported: ["ES256"],
  token_endpoint_auth_methods_supported: ["client_secret_basic"],
  code_challenge_methods_supported: ["S256"],
}

const oddities = JSON.parse(readFileSync(new URL("oddities.json", import.meta.url)))
const another = await generateKeyPair("ES256")

const TEXTS = { "JSON null": null, LONG: "x".repeat(5000) }

// What an oddity has in place of some members; null removes one.
function changed(object, changes = {}) {
  const all = { ...object, ...changes }
  const kept = Object.entries(all).filter(([, value]) => value !== null)
  return Object.fromEntries(kept.map(([name, value]) => [name, value in TEXTS ? TEXTS[value] : value]))
}

// A code contains its grant, so that the provider has no state. Its oddity says in what the provider's answers are odd.
async function token(form) {
  let code
  try {
    code = JSON.parse(Buffer.from(form.get("code"), "base64url"))
  } catch {
    return [400, { error: "invalid_grant" }]
  }
  const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url")
  if (challenge !== code.challenge) return [400, { error: "invalid_grant" }]
  const odd = oddities[code.oddity] ?? {}
  if ("text" in odd || "answer" in odd) return [odd.status ?? 200, odd.answer, odd.text]
  const person = { name: code.user, email: `${code.user}@example.com`, picture: `https://img.example/${code.user}` }
  const now = Math.floor(Date.now() / 1000)
  const times = { iat: now, exp: now + 300 }
  const claims = { ...person, nonce: code.nonce, iss: ISSUER, sub: `${code.user}-1`, aud: CLIENT.clientId, ...times }
  const idToken = await new SignJWT(changed(claims, odd.claims))
    .setProtectedHeader(changed({ alg: "ES256", kid: "key-1" }, "kid" in odd && { kid: odd.kid }))
    .sign(odd.key ? another.privateKey : privateKey)
  const access = code.oddity ? `access-${Buffer.from(JSON.stringify(code)).toString("base64url")}` : `access-${code.user}`
  const tokens = { access_token: access, token_type: "Bearer", expires_in: 3600 }
  return [200, changed(code.nonce ? { ...tokens, id_token: idToken } : tokens, odd.tokens)]
}

// What userinfo says of the bearer of an access token.
function userinfo(authorization = "") {
  const access = authorization.replace(/^Bearer access-/i, "")
  if (access === authorization) return [401, { error: "invalid_token" }]
  let grant = { user: access }
  try {
    grant = JSON.parse(Buffer.from(access, "base64url"))
  } catch {
    // It is the name of a user.
  }
  const odd = oddities[grant.oddity] ?? {}
  if (odd.userinfo) return [odd.userinfo.status ?? 200, odd.userinfo.answer, odd.userinfo.text]
  const person = { name: grant.user, email: `${grant.user}@example.com`, picture: `https://img.example/${grant.user}` }
  return [200, changed({ id: 7, sub: `${grant.user}-1`, ...person }, odd.person)]
}

// A credentials API that accepts every user with the password "right".
function login({ email, password }) {
  if (!email) return [401, {}]
  if (password === "boom") return [500, {}]
  if (password === "too late") return [403, { error: "locked" }]
  if (password !== "right") return [401, {}]
  const user = { id: "7", name: "Ada", email, image: "https://img.example/ada" }
  return [200, { accessToken: "access-ada", user }]
}

// The same for Auth.js: the `authorize` function of an application that calls that API.
const authorize = (Refusal) => (filled) => {
  const [status, answer] = login(filled)
  if (answer.error) throw new Refusal(answer.error)
  if (status === 500) throw new Error("the API is down")
  return answer.user ?? null
}

const FIELDS = { email: { label: "Email", type: "email" }, password: { label: "Password", type: "password" } }

async function provide(path, body, headers) {
  if (path === "/.well-known/openid-configuration") return [200, metadata]
  if (path === "/jwks") return [200, { keys: [jwk] }]
  if (path === "/token") return token(new URLSearchParams(body))
  if (path === "/userinfo") return userinfo(headers.authorization)
  if (path === "/login") return login(JSON.parse(body))
  return [404, {}]
}

const server = createServer(async (request, response) => {
  let body = ""
  for await (const chunk of request) body += chunk
  const [status, answer, text] = await provide(new URL(request.url, ISSUER).pathname, body, request.headers)
  const type = text === undefined ? "application/json" : "text/html"
  response.writeHead(status, { "content-type": type }).end(text ?? JSON.stringify(answer))
})
await new Promise((ready) => server.listen(0, "127.0.0.1", ready))
const here = `http://127.0.0.1:${server.address().port}`

// ---- version 5 ----

const silent = { error() {}, warn() {}, debug() {} }
const PAGES = { signIn: "/login", signOut: "/bye", error: "/oops" }

// A provider of OAuth 2 without OpenID Connect, whose ids are numbers, as GitHub's. Its endpoints are not in it.
const HUB = {
  id: "hub",
  name: "Hub",
  type: "oauth",
  checks: ["pkce", "state"],
  authorization: { url: `${ISSUER}/hub/authorize`, params: { scope: "read" } },
  profile: ({ id, name, email, picture }) => ({ id: id.toString(), name, email, image: picture }),
  ...CLIENT,
}

class Refused extends CredentialsSignin {
  constructor(code) {
    super()
    this.code = code
  }
}

const v5Config = (pages) => ({
  basePath: "/auth",
  secret: SECRET,
  trustHost: true,
  logger: silent,
  ...(pages && { pages: PAGES }),
  providers: [
    {
      id: "acme",
      name: "Acme",
      type: "oidc",
      issuer: ISSUER,
      checks: CHECKS,
      ...CLIENT,
      [customFetch]: (url, init) => fetch(String(url).replace(ISSUER, here), init),
    },
    {
      ...HUB,
      token: `${ISSUER}/token`,
      userinfo: `${ISSUER}/userinfo`,
      [customFetch]: (url, init) => fetch(String(url).replace(ISSUER, here), init),
    },
    {
      id: "credentials",
      name: "Credentials",
      type: "credentials",
      credentials: FIELDS,
      authorize: authorize(Refused),
    },
  ],
})

async function v5({ method, url, headers, body, pages }) {
  const request = new Request(url, { method, headers, body: body ?? undefined })
  const response = await Auth(request, v5Config(pages))
  return { status: response.status, headers: [...response.headers], body: await response.text() }
}

// ---- version 4 ----

const v4Options = (pages) => ({
  secret: SECRET,
  logger: silent,
  ...(pages && { pages: PAGES }),
  providers: [
    {
      id: "acme",
      name: "Acme",
      type: "oauth",
      issuer: ISSUER,
      idToken: true,
      checks: CHECKS,
      client: { id_token_signed_response_alg: "ES256" },
      authorization: { url: metadata.authorization_endpoint, params: { scope: "openid profile email" } },
      token: `${here}/token`,
      jwks_endpoint: `${here}/jwks`,
      profile: (profile) => ({ id: profile.sub, name: profile.name, email: profile.email, image: profile.picture }),
      ...CLIENT,
    },
    { ...HUB, token: `${here}/token`, userinfo: `${here}/userinfo` },
    {
      id: "credentials",
      name: "Credentials",
      type: "credentials",
      credentials: FIELDS,
      authorize: authorize(Error),
    },
  ],
})

// The body as Next.js parses it for an API route; `undefined` if Next.js answers 400 itself.
function parsedBody(headers, body) {
  const type = new Headers(headers).get("content-type")?.split(";")[0].trim()
  if (type === "application/json") {
    try {
      return body ? JSON.parse(body) : {}
    } catch {
      return undefined
    }
  }
  if (type === "application/x-www-form-urlencoded") return listed(new URLSearchParams(body ?? ""))
  return body ?? ""
}

function listed(parameters) {
  const object = {}
  for (const name of new Set(parameters.keys())) {
    const values = parameters.getAll(name)
    object[name] = values.length > 1 ? values : values[0]
  }
  return object
}

function cookies(headers) {
  const field = new Headers(headers).get("cookie") ?? ""
  const parsed = {}
  for (const pair of field.split(/; */)) {
    const at = pair.indexOf("=")
    if (at < 0) continue
    const name = pair.slice(0, at)
    if (name in parsed) continue
    try {
      parsed[name] = decodeURIComponent(pair.slice(at + 1))
    } catch {
      // Next.js leaves out cookies that it cannot decode.
    }
  }
  return parsed
}

class V4Response {
  statusCode = 200
  fields = {}
  body = ""
  status(code) {
    this.statusCode = code
    return this
  }
  getHeader(name) {
    return this.fields[name.toLowerCase()]
  }
  setHeader(name, value) {
    this.fields[name.toLowerCase()] = value
    return this
  }
  json(value) {
    return this.setHeader("content-type", "application/json; charset=utf-8").end(JSON.stringify(value))
  }
  send(value) {
    if (value === undefined) return this.end()
    const isText = typeof value === "string"
    if (!this.getHeader("content-type")) this.setHeader("content-type", isText ? "text/plain" : "application/json")
    return this.end(isText ? value : JSON.stringify(value))
  }
  end(body = "") {
    this.body = body
    return this
  }
}

async function v4({ method, url, headers, body, pages }) {
  const { origin, pathname, searchParams } = new URL(url)
  const parsed = parsedBody(headers, body)
  if (parsed === undefined) return { status: 400, headers: [], body: "Invalid JSON" }
  process.env.NEXTAUTH_URL = `${origin}/api/auth`
  const nextauth = pathname.replace(/^\/api\/auth\/?/, "").split("/").filter(Boolean).map(decodeURIComponent)
  const request = {
    method,
    headers: Object.fromEntries(new Headers(headers)),
    cookies: cookies(headers),
    query: { ...listed(searchParams), nextauth },
    body: parsed,
  }
  const response = new V4Response()
  await nextAuth.default(v4Options(pages))(request, response)
  const fields = Object.entries(response.fields)
  const pairs = fields.flatMap(([name, value]) => [value].flat().map((one) => [name, String(one)]))
  return { status: response.statusCode, headers: pairs, body: response.body }
}

// ---- the reference ----

const judges = { "authjs-v5": v5, "next-auth-v4": v4 }
process.stdout.write(`${server.address().port}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line)
  let answer
  try {
    answer = await judges[request.dialect](request)
  } catch (error) {
    // Next.js does not catch this error either; its server answers.
    answer = { status: 500, headers: [], body: "Internal Server Error", thrown: String(error) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}
server.close()
