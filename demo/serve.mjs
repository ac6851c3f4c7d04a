// Code that the demo's two servers share. They listen on loopback only, and end with the program that started them.
import { fstatSync } from "node:fs";
import { createServer } from "node:http";

/** Serves `handler` at http://localhost:`wanted`, over IPv4 and, if the machine supports it, IPv6. */
export async function serve(name, wanted, handler) {
  const port = await listen(name, wanted, "127.0.0.1", handler);
  await listen(name, port, "::1", handler).catch((error) => {
    if (!["EADDRNOTAVAIL", "EAFNOSUPPORT"].includes(error.code)) throw error;
  });
  console.log(`${name} listens on http://localhost:${port}`);
  endWithParent();
}

/** The port from the first argument, the environment, or else the demo's default; 0 for any free port. */
export function port(variable, otherwise) {
  const value = Number(process.argv[2] ?? process.env[variable] ?? otherwise);
  if (Number.isInteger(value) && value >= 0 && value < 65536) return value;
  console.error(`the port is the first argument or ${variable}, a number from 0 to 65535`);
  process.exit(2);
}

/** Text, escaped for HTML text and for quoted attributes. */
export function escape(text) {
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return String(text).replace(/[&<>"']/g, (character) => entities[character]);
}

/** The body of a request; throws an error if it is longer than `limit` bytes. */
export async function body(request, limit) {
  const chunks = [];
  let length = 0;
  for await (const chunk of request) {
    length += chunk.length;
    if (length > limit) throw Object.assign(new Error("the body is too long"), { status: 413 });
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function listen(name, port, host, handler) {
  return new Promise((resolve, reject) => {
    const server = createServer((request, response) => {
      Promise.resolve(handler(request, response)).catch((error) => {
        console.error(`${name}: ${request.method} ${request.url}:`, error);
        if (!response.headersSent) response.writeHead(error.status ?? 500, { "content-type": "text/plain" });
        response.end(error.status ? error.message : "internal error");
      });
    });
    server.once("error", reject);
    server.listen({ port, host, ipv6Only: host.includes(":") }, () => resolve(server.address().port));
  });
}

// A pipe as standard input closes when the program that started this one ends, in any way. A terminal does not close, and
// /dev/null, which a shell gives to what runs in the background of a script, says nothing.
function endWithParent() {
  const end = () => process.exit(0);
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);
  const input = fstatSync(0);
  if (!input.isFIFO() && !input.isSocket()) return;
  process.stdin.on("end", end).on("close", end).on("error", end).resume();
}
