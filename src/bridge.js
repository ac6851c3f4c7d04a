// What passes between JavaScript and WebAssembly with every request, in one call and one string each way: every
// call, and every string by itself, costs as much as some hundred bytes more in one.
//
// Header fields are lines of `name,value`. A name has no comma, and a value no line break; what Rust hands over is
// looked at for that.

const encoder = new TextEncoder();

// Method, URL and fields, as UTF-8, into `room`, which is WebAssembly's memory: wasm-bindgen copies a string
// character by character, and one that was put together of pieces at thirty nanoseconds each. The number of bytes, or
// minus the number that would do for certain where there was no room for all.
export function head(request, room) {
  const text = `${request.method}\n${request.url}${lines(request.headers)}`;
  const { read, written } = encoder.encodeInto(text, room);
  return read === text.length ? written : -3 * text.length;
}

// The fields, behind a line break each.
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

// To the response's own fields: a `Headers` that is handed over is copied, which is 7 µs more.
export function respond(status, fields, body) {
  const response = new Response(body, { status });
  const { headers } = response;
  // The runtime's guess from the body's type.
  headers.delete("content-type");
  for (const field of fields.split("\n").slice(1)) {
    const comma = field.indexOf(",");
    headers.append(field.slice(0, comma), field.slice(comma + 1));
  }
  return response;
}

// Sends `request` on, to `url` where that is another, by way of a binding where one is named, with its method, its body,
// and `changes` to its fields: `-name,` takes one away, `=name,value` makes a value the only one. Redirects are the
// browser's to follow. `undefined` where there is no such binding.
export function send(env, binding, url, request, changes, pastTheCache) {
  const target = binding === undefined ? globalThis : env[binding];
  if (typeof target?.fetch !== "function") return undefined;
  const headers = new Headers(request.headers);
  for (const change of changes.split("\n").slice(1)) {
    const comma = change.indexOf(",");
    const name = change.slice(1, comma);
    if (change[0] === "-") headers.delete(name);
    else headers.set(name, change.slice(comma + 1));
  }
  const init = { headers, redirect: "manual" };
  // Cloudflare's cache is asked by URL, whoever the request is from, and keeps by the URL's ending what no header
  // forbids. A negative time keeps the response out of it, as the option `cache: "no-store"` would, which also adds
  // header fields to the request.
  if (pastTheCache) init.cf = { cacheTtl: -1 };
  // What is behind a binding is to know what the edge knows of the client (`cf`): that goes with a copy of the request,
  // and where the URL stays, `fetch` makes the only one.
  if (binding !== undefined) return target.fetch(request, init);
  const { method, body } = request;
  // A GET that is made from parts may have no body.
  if (body && (method === "GET" || method === "HEAD")) {
    return target.fetch(url === undefined ? request : new Request(url, request), init);
  }
  // A request that is made from parts costs 15 µs less than a copy.
  init.method = method;
  init.body = body;
  return target.fetch(url ?? request.url, init);
}

export function orElse(promise, failed, request) {
  return promise.then(undefined, (error) => failed(error, request));
}

// `go_on` hears what becomes of the promise, and answers what comes of that.
export function settled(promise, goOn) {
  return promise.then(
    (value) => goOn(value, true),
    (error) => goOn(error, false),
  );
}
