// Runs the jobs of tests/authjs_tokens.rs with the code of both versions of Auth.js: a list of jobs as JSON on stdin, a list
// of results on stdout.
import { text } from "node:stream/consumers"
import * as v5 from "@auth/core/jwt"
import v4 from "next-auth-v4/jwt"

const jobs = {
  "v5 encode": ({ claims, secret, salt, maxAge }) => v5.encode({ token: claims, secret, salt, maxAge }),
  "v5 decode": ({ token, secret, salt }) => v5.decode({ token, secret, salt }),
  "v4 encode": ({ claims, secret, salt, maxAge }) => v4.encode({ token: claims, secret, salt, maxAge }),
  "v4 decode": ({ token, secret, salt }) => v4.decode({ token, secret, salt }),
  // As docs/nextjs.md has it; `cookie` is the request's header field.
  "v5 getToken": ({ cookie, secret, cookieName, salt }) =>
    v5.getToken({ req: { headers: { cookie } }, secret, cookieName, salt }),
  "v4 getToken": ({ cookies, secret, cookieName }) =>
    v4.getToken({ req: { headers: {}, cookies }, secret, cookieName }),
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
