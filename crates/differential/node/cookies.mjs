// The cookies of both generations of Auth.js: the package `cookie`, which @auth/core has a copy of, and SessionStore.
import { createRequire } from "node:module"
import { fileURLToPath, pathToFileURL } from "node:url"
import { join } from "node:path"

const root = fileURLToPath(new URL("../../../", import.meta.url))
const require = createRequire(import.meta.url)
// Neither package exports them.
const load = (path) => import(pathToFileURL(join(root, "node_modules", path)))
const v5Cookie = await load("@auth/core/lib/vendored/cookie.js")
const v5Store = (await load("@auth/core/lib/utils/cookie.js")).SessionStore
const ofV4 = createRequire(require.resolve("next-auth-v4/jwt"))
const v4Cookie = ofV4("cookie")
const v4Store = (await load("next-auth-v4/core/lib/cookie.js")).default.SessionStore

const logger = { debug() {} }
const packages = { v5: v5Cookie, v4: v4Cookie }

const store = (dialect, name, header) => {
  const cookies = packages[dialect].parse(header)
  const option = { name, options: {} }
  return dialect === "v5" ? new v5Store(option, cookies, logger) : new v4Store(option, { cookies }, logger)
}

const written = (cookies) => cookies.map(({ name, value, options }) => [name, options.maxAge === 0 ? null : value.length])

export const families = {
  cookie_header: ({ dialect, header }) => Object.entries(packages[dialect].parse(header)),
  session_chunks: ({ dialect, name, header, length }) => ({
    read: store(dialect, name, header).value,
    erased: written(store(dialect, name, header).clean()),
    written: written(store(dialect, name, header).chunk("t".repeat(length))),
  }),
  set_cookie: ({ dialect, name, value, options }) =>
    packages[dialect].serialize(name, value, {
      ...options,
      ...(options.expires === undefined ? {} : { expires: new Date(options.expires) }),
    }),
}
