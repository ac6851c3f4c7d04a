// The calls between JavaScript and WebAssembly that every request makes. Each direction uses one call and one string:
// an additional call or string costs as much as some hundred additional bytes in the same string.
//
// A header field is a line `name,value`. A name contains no comma and a value no line break; Rust checks this before
// it passes fields to JavaScript.

const encoder = new TextEncoder();

// Writes method, URL and header fields as UTF-8 into `buffer`, which is a part of WebAssembly's memory: wasm-bindgen
// would copy the string character by character, at thirty nanoseconds each for a concatenated string. Returns the
// number of bytes written. If the buffer is too small, returns minus the size that is certainly sufficient.
export function head(request, buffer) {
  const text = `${request.method}\n${request.url}${lines(request.headers)}`;
  const { read, written } = encoder.encodeInto(text, buffer);
  return read === text.length ? written : -3 * text.length;
}

// The header fields in UTF-8, each after a line break.
export function fields(headers) {
  return encoder.encode(lines(headers));
}

function lines(headers) {
  let text = "";
  headers.forEach((value, name) => {
    text += `\n${name},${value}`;
  });
  return text;
}

// Makes a response. The fields are appended to the response's own `Headers`: a `Headers` object passed to the
// constructor is copied, which costs 7 µs more.
export function respond(status, fields, body) {
  const response = new Response(body, { status });
  const { headers } = response;
  // The runtime has set it from the type of the body.
  headers.delete("content-type");
  for (const field of fields.split("\n").slice(1)) {
    const comma = field.indexOf(",");
    headers.append(field.slice(0, comma), field.slice(comma + 1));
  }
  return response;
}

// Forwards `request` with its method and its body, as `lines` say. The first is the name of the service or assets binding that
// receives it, if any; the second replaces its URL, unless it is empty; each other one is a change: `-name,` removes a field,
// `=name,value` replaces all values of a field. Redirects are returned, because the browser follows them. Returns a promise
// of the response, or `undefined` if there is no such binding.
export function send(env, request, lines, bypassCache) {
  const [binding, url, ...changes] = lines.split("\n");
  const target = binding === "" ? globalThis : env[binding];
  if (typeof target?.fetch !== "function") return undefined;
  const headers = new Headers(request.headers);
  for (const change of changes) {
    const comma = change.indexOf(",");
    const name = change.slice(1, comma);
    if (change[0] === "-") headers.delete(name);
    else headers.set(name, change.slice(comma + 1));
  }
  const init = { headers, redirect: "manual" };
  // Cloudflare's cache is keyed by the URL and not by the user. It stores a response because of the URL's file extension
  // unless a header forbids it. A negative time keeps the response out of the cache. The option `cache: "no-store"` does
  // too, but it also adds header fields to the request.
  if (bypassCache) init.cf = { cacheTtl: -1 };
  // The Worker behind a binding has to see what the edge knows about the client (`cf`). Only a copy of the request
  // carries `cf`, and `fetch` makes that copy itself.
  if (binding !== "") return target.fetch(url === "" ? request : new Request(url, request), init);
  const { method, body } = request;
  // A request that is made from parts cannot be a GET or HEAD with a body.
  if (body && (method === "GET" || method === "HEAD")) {
    return target.fetch(url === "" ? request : new Request(url, request), init);
  }
  // A request that is made from parts costs 15 µs less than a copy.
  init.method = method;
  init.body = body;
  return target.fetch(url || request.url, init);
}

// A promise with the same value; if it is rejected, with the value that `failed` returns for the error and `request`.
export function orElse(promise, failed, request) {
  return promise.then(undefined, (error) => failed(error, request));
}

// Sends messages to a queue: JSON objects, one in a line. Returns a promise, or `undefined` if there is no such queue.
export function sendToQueue(env, name, messages) {
  const queue = env[name];
  if (typeof queue?.sendBatch !== "function") return undefined;
  return queue.sendBatch(messages.split("\n").map((line) => ({ body: JSON.parse(line), contentType: "json" })));
}

// Writes rows, a JSON array, into a dataset of Analytics Engine. Returns whether there is such a dataset.
export function writePoints(env, name, rows) {
  const dataset = env[name];
  if (typeof dataset?.writeDataPoint !== "function") return false;
  for (const row of JSON.parse(rows)) dataset.writeDataPoint(row);
  return true;
}

// Calls `goOn` with the value or the error of the promise, and whether it was fulfilled. Returns a promise of what `goOn`
// returns.
export function settled(promise, goOn) {
  return promise.then(
    (value) => goOn(value, true),
    (error) => goOn(error, false),
  );
}
