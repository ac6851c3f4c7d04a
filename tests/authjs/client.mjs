// The real client of next-auth, in Node.js with as much of a browser as it looks at. Arguments: the dialect, the origin, the
// base path. Each line on stdin is a call in JSON. While a call runs, each request is a line on stdout, and the line after
// it on stdin is its response. The last line of a call is what it gave, and where it sent the browser.
import { createInterface } from "node:readline"

const [dialect, origin, basePath] = process.argv.slice(2)
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const write = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const none = () => {}

const location = { href: `${origin}/page`, reload: none }
const target = { addEventListener: none, removeEventListener: none }
globalThis.window = { ...target, location }
globalThis.document = { ...target, visibilityState: "visible" }
globalThis.localStorage = { getItem: none, setItem: none }
globalThis.BroadcastChannel = undefined
console.error = none

globalThis.fetch = async (url, { method = "GET", headers = {}, body } = {}) => {
  const fields = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])
  write({ method: method.toUpperCase(), url: new URL(url, origin).href, headers: fields, body: body && String(body) })
  const { value } = await lines.next()
  const answer = JSON.parse(value)
  return new Response(answer.body, { status: answer.status, headers: answer.headers })
}

const React = await import("react")
const { renderToString } = await import("react-dom/server")
const module = await import(dialect === "authjs-v5" ? "next-auth/react" : "next-auth-v4/react")
const client = module.default ?? module

// The provider gives the client its base path, and `update` comes from a component below it.
function useOf(session) {
  let used
  const Probe = () => {
    used = client.useSession()
    return null
  }
  renderToString(React.createElement(client.SessionProvider, { basePath, session }, React.createElement(Probe)))
  return used
}

const calls = {
  getSession: () => client.getSession(),
  getProviders: () => client.getProviders(),
  getCsrfToken: () => client.getCsrfToken(),
  signIn: (...all) => client.signIn(...all),
  signOut: (options) => client.signOut(options),
  update: (data) => useOf({ user: {}, expires: "2100-01-01T00:00:00.000Z" }).update(data),
}

useOf(null)
for (;;) {
  const { value, done } = await lines.next()
  if (done) break
  const { call, with: all } = JSON.parse(value)
  location.href = `${origin}/page`
  let result
  try {
    result = await calls[call](...all)
  } catch (error) {
    result = { thrown: String(error) }
  }
  write({ result: result ?? null, href: location.href })
}
