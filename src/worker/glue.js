// What passes between JavaScript and WebAssembly with every request, in one call and one string each way: every
// call, and every string by itself, costs as much as some hundred bytes more in one.
//
// Header fields are lines of `name,value`. A name has no comma, and a value no line break; what Rust hands over is
// looked at for that.

const encoder = new TextEncoder();

// Method, URL and fields, as UTF-8: wasm-bindgen copies a string character by character, and one that was put
// together of pieces at thirty nanoseconds each.
export function head(request) {
  return encoder.encode(`${request.method}\n${request.url}${lines(request.headers)}`);
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

export function respond(status, fields, body) {
  const headers = new Headers();
  for (const field of fields.split("\n").slice(1)) {
    const comma = field.indexOf(",");
    headers.append(field.slice(0, comma), field.slice(comma + 1));
  }
  return new Response(body, { status, headers });
}

// Sends `request` on to `url`, by way of a binding where one is named. It goes with its method and its body, which a
// GET may have too (a request that is made from parts may not), with what the edge knows of the client (`cf`), and with
// `changes` to its fields: `-name` takes one away, `=name,value` makes a value the only one, `+name,value` adds one.
// Redirects are the browser's to follow. `undefined` where there is no such binding.
export function send(env, binding, url, request, changes, pastTheCache) {
  const target = binding === undefined ? globalThis : env[binding];
  if (typeof target?.fetch !== "function") return undefined;
  const headers = new Headers(request.headers);
  for (const change of changes.split("\n").slice(1)) {
    const comma = change.indexOf(",");
    const [name, value] = comma < 0 ? [change.slice(1), ""] : [change.slice(1, comma), change.slice(comma + 1)];
    if (change[0] === "-") headers.delete(name);
    else if (change[0] === "=") headers.set(name, value);
    else headers.append(name, value);
  }
  // Every request that is made is a copy: where the URL stays, `fetch` makes the only one.
  const moved = url === request.url ? request : new Request(url, request);
  const init = { headers, redirect: "manual" };
  // Cloudflare's cache is asked by URL, whoever the request is from, and keeps by the URL's ending what no header
  // forbids. A negative time keeps the response out of it, as the option `cache: "no-store"` would, which also adds
  // header fields to the request.
  if (pastTheCache) init.cf = { cacheTtl: -1 };
  return target.fetch(moved, init);
}

// `go_on` hears what becomes of the promise, and answers what comes of that.
export function settled(promise, goOn) {
  return promise.then(
    (value) => goOn(value, true),
    (error) => goOn(error, false),
  );
}
