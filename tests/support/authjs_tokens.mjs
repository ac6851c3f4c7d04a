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
