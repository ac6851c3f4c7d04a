// The other implementation of each family. Reads batches from stdin, one a line: {"family", "cases"}. Writes the answers to
// stdout, one line for each batch: {"ok": …} or {"error": …} for each case.
import * as cookies from "./cookies.mjs"
import * as matcher from "./matcher.mjs"
import * as jwe from "./jwe.mjs"
import * as jws from "./jws.mjs"

const families = { ...matcher.families, ...cookies.families, ...jwe.families, ...jws.families }

// The time of every case, as in src/lib.rs: the libraries read the real clock.
const NOW = 1_795_290_000_750
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...given) {
    given.length === 0 ? super(NOW) : super(...given)
  }
  static now() {
    return NOW
  }
}

const answer = async (family, one) => {
  try {
    return { ok: await families[family](one) }
  } catch (error) {
    return { error: String(error.message ?? error) }
  }
}

let rest = []
for await (const chunk of process.stdin.setEncoding("utf8")) {
  const lines = chunk.split("\n")
  while (lines.length > 1) {
    const line = rest.concat(lines.shift()).join("")
    rest = []
    const { family, cases } = JSON.parse(line)
    const answers = await Promise.all(cases.map((one) => answer(family, one)))
    process.stdout.write(`${JSON.stringify(answers)}\n`)
  }
  rest.push(lines[0])
}
