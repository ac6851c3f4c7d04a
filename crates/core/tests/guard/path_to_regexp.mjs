// Runs path-to-regexp for tests/guard. Reads a list of patterns or values with texts as JSON from stdin, and writes to
// stdout for each which of the texts match, or why it is invalid.
import { text } from "node:stream/consumers"
import { pathToRegexp } from "path-to-regexp"

// Next.js keeps only the expression's source, so flags are lost. Its matcher uses path-to-regexp's default delimiters,
// "/#?", and its rewrites "/".
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
