// Runs `signIn(…)` of the unmodified next-auth/react as on a page at https://app.example.com. `window` has only a location,
// and `fetch` reaches the Worker.
//
//   node react_client.mjs next-auth|next-auth-v4 HOST:PORT BASE_PATH
//
// Each line of input, the arguments of `signIn` as a JSON array, gives a line of output: the location of the page
// afterwards, the result of `signIn`, and the cookies that were set.
import { request } from "node:http";
import { createInterface } from "node:readline";

const [client, address, basePath] = process.argv.slice(2);
const [host, port] = address.split(":");
const ORIGIN = "https://app.example.com";
const PAGE = `${ORIGIN}/from?here=1#part`;

process.env.NEXTAUTH_URL = `${ORIGIN}${basePath}`;
globalThis.window = { location: { href: PAGE, reload: () => (window.location.reloaded = true) }, addEventListener() {} };
globalThis.localStorage = { setItem() {}, getItem: () => null };
globalThis.BroadcastChannel = undefined;

let jar = new Map();
let set = [];
globalThis.fetch = async (url, init = {}) => {
  const { pathname, search } = new URL(url, ORIGIN);
  const body = init.body === undefined ? "" : String(init.body);
  const headers = {
    host: "app.example.com",
    "x-harness-scheme": "https",
    "sec-fetch-mode": "cors",
    "sec-fetch-site": "same-origin",
    "content-length": Buffer.byteLength(body),
    cookie: [...jar].map(([name, value]) => `${name}=${value}`).join("; "),
    ...Object.fromEntries(new Headers(init.headers)),
  };
  const method = (init.method ?? "GET").toUpperCase();
  const { status, cookies, text } = await new Promise((resolve, reject) => {
    const sent = request({ host, port, method, path: `${pathname}${search}`, headers }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8")) text += chunk;
      resolve({ status: response.statusCode, cookies: response.headers["set-cookie"] ?? [], text });
    });
    sent.on("error", reject).end(body);
  });
  for (const cookie of cookies) {
    set.push(cookie);
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie);
    if (cookie.includes("Max-Age=0")) jar.delete(name);
    else jar.set(name, value);
  }
  return { ok: status >= 200 && status < 300, status, json: async () => JSON.parse(text), text: async () => text };
};

const { signIn } = await import(`${client}/react`);
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  [jar, set] = [new Map(), []];
  window.location = { href: PAGE, reload: window.location.reload };
  const result = await signIn(...JSON.parse(line));
  console.log(JSON.stringify({ href: window.location.href, result: result ?? null, cookies: set }));
}
