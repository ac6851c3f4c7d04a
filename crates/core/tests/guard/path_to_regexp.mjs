// path-to-regexp's side of tests/guard: a list of patterns or values with texts as JSON on stdin, on stdout
// for each which of the texts match, or why there is no expression.
import { text } from "node:stream/consumers"
import { pathToRegexp } from "path-to-regexp"

// Next.js keeps the source only, so flags are lost. Its matcher uses path-to-regexp's own delimiters,
// "/#?", its rewrites "/".
const compile = {
  pattern: (source) => [{ delimiter: "/" }, {}].map((options) => new RegExp(pathToRegexp(source, [], options).source)),
  value: (source) => [new RegExp(`^${source}$`)],
}

const results = JSON.parse(await text(process.stdin)).map(({ kind, source, texts }) => {
  try {
    const expressions = compile[kind](source)
    return { matches: texts.map((text) => expressions.map((expression) => expression.test(text))) }
  } catch (error) {
    return { error: error.message }
  }
})
process.stdout.write(JSON.stringify(results))
