/**
 * A header field of a request: a Fetch `Request`, a Node.js `IncomingMessage`, a `Headers`, or any object whose `headers`
 * is one of these (`{ headers: await headers() }` in Next.js). `name` is in lower case. A field that came several times
 * is one text with commas, as the runtimes join it.
 */
export function field(request, name) {
  if (typeof request?.get === "function" && request.headers === undefined) return request.get(name) ?? undefined;
  const headers = request?.headers;
  if (headers === null || typeof headers !== "object") {
    throw new TypeError("the first argument is no request: it has no header fields");
  }
  if (typeof headers.get === "function") return headers.get(name) ?? undefined;
  // Node.js writes the names in lower case; other objects (API gateways' events, tests) may not.
  let value = Object.hasOwn(headers, name) ? headers[name] : undefined;
  if (value === undefined) {
    const key = Object.keys(headers).find((key) => key.toLowerCase() === name);
    value = key === undefined ? undefined : headers[key];
  }
  return Array.isArray(value) ? value.join(", ") : value;
}
