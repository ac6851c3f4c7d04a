// path-to-regexp as Next.js uses it, and JavaScript's own regular expressions.
import { pathToRegexp } from "path-to-regexp"

// Next.js keeps only the expression's source, so flags are lost. Its matcher uses path-to-regexp's default delimiters,
// "/#?", and its rewrites "/".
const pattern = (source) =>
  [{ delimiter: "/" }, {}].map((options) => new RegExp(pathToRegexp(source, [], options).source))

const matches = (expressions, texts) => texts.map((text) => expressions.map((one) => one.test(text)))

export const families = {
  matcher: ({ source, texts }) => matches(pattern(source), texts),
  value: ({ source, texts }) => matches([new RegExp(`^${source}$`)], texts),
}
