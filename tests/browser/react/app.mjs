// The application of react.mjs: page.jsx, bundled with one version of next-auth, at every path; and the API for the sign-in
// with a password.
//
//   node tests/browser/react/app.mjs PORT
//
// REACT_CLIENT     the package of next-auth/react
// REACT_BASE_PATH  Vestibule's base_path
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { body, escape, port, serve } from "../../../demo/serve.mjs";

const { REACT_CLIENT: CLIENT, REACT_BASE_PATH: BASE_PATH } = process.env;
const ACCESS_TOKEN = "the-access-token-of-carol";
const PORT = port("REACT_APP_PORT", 9401);

const script = await bundle();
await serve("app", PORT, async (request, response) => {
  const { pathname } = new URL(request.url, "http://app");
  if (pathname === "/page.js") return send(response, 200, "text/javascript", script);
  if (pathname === "/me") return me(request, response);
  if (pathname === "/login" && request.method === "POST") return login(request, response);
  return send(response, 200, "text/html; charset=utf-8", page(pathname, request.headers));
});

// Uses React's development build, because it reports more problems than the production build.
async function bundle() {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("page.jsx", import.meta.url))],
    bundle: true,
    write: false,
    format: "iife",
    jsx: "automatic",
    target: "es2022",
    logLevel: "warning",
    alias: { "next-auth": CLIENT },
    define: {
      BASE_PATH: JSON.stringify(BASE_PATH),
      // Next.js does the same for a browser: it only includes the environment variables that are meant for it.
      "process.env": "{}",
      "process.env.NODE_ENV": '"development"',
    },
  });
  return outputFiles[0].text;
}

function page(pathname, headers) {
  const given = pathname === "/given" ? `<script id="given" type="application/json">${session(headers)}</script>` : "";
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>${escape(pathname)}</title>
<div id="root"></div>
${given}
<script src="/page.js"></script>
</html>
`;
}

// The session that this server builds from Vestibule's headers.
function session(headers) {
  const email = headers["x-user-email"];
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  return JSON.stringify(email ? { user: { name: `${email} (given)`, email }, expires } : null).replaceAll("<", "\\u003c");
}

async function login(request, response) {
  const { email, password } = JSON.parse((await body(request, 10_000)).toString());
  if (email === "locked@example.com") return send(response, 403, "application/json", '{"error":"account_locked"}');
  if (password !== "carol") return send(response, 401, "application/json", "{}");
  return send(response, 200, "application/json", JSON.stringify({ accessToken: ACCESS_TOKEN, expiresIn: 3600 }));
}

function me(request, response) {
  if (request.headers.authorization !== `Bearer ${ACCESS_TOKEN}`) return send(response, 401, "application/json", "{}");
  const user = { id: "user-3", name: "Carol Example", email: "carol@example.com", roles: ["user"] };
  return send(response, 200, "application/json", JSON.stringify(user));
}

function send(response, status, type, text) {
  response.writeHead(status, { "content-type": type, "cache-control": "private, no-store" });
  response.end(text);
}
