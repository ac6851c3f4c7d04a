// `check --live` at a provider that lies: whatever it answers, the check keeps to its time and its size and asks nobody
// else. What is said of the answers is tested in crates/check/tests/live.rs.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { answers } from "../../../npm/cli/fetch.mjs";

/** Asks a server of this machine, which answers each request with `answer`. */
async function ask(t, answer, { timeout = 60_000, limit = 131_072, ...more } = {}) {
  const seen = [];
  const server = createServer((request, response) => {
    seen.push(request.url);
    answer(request, response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => (server.closeAllConnections(), server.close()));
  const url = `http://127.0.0.1:${server.address().port}/first`;
  const [answered] = await answers([{ url, method: "GET", headers: [], body: "", timeout, limit, ...more }]);
  return { seen, ...answered };
}

/** Writes without an end, as fast as it is read. */
function flood(response) {
  const more = () => {
    while (response.writable && response.write(" ".repeat(65_536)));
    response.once("drain", more);
  };
  more();
}

test("an answer that never begins ends with the time", async (t) => {
  const { failed } = await ask(t, () => {}, { timeout: 200 });
  assert.equal(failed, "no answer within 0.2 s");
});

test("an answer that never ends does, too, however slowly it comes", async (t) => {
  const { failed } = await ask(
    t,
    (request, response) => {
      const drip = setInterval(() => response.write(" "), 20);
      request.socket.on("close", () => clearInterval(drip));
    },
    { timeout: 400 },
  );
  assert.equal(failed, "no answer within 0.4 s");
});

test("of ten megabytes, and of an answer without an end, only the limit is read", async (t) => {
  for (const answer of [
    (_, response) => response.end(Buffer.alloc(10 * 1024 * 1024, 32)),
    (_, response) => flood(response),
    (_, response) => response.writeHead(200, { "content-length": 10 * 1024 * 1024 }) && flood(response),
  ]) {
    const { failed } = await ask(t, answer);
    assert.equal(failed, "the answer is larger than 131072 bytes");
  }
});

test("a small answer that grows when it is unpacked is limited by what it becomes", async (t) => {
  const bomb = gzipSync(Buffer.alloc(10 * 1024 * 1024, 32));
  assert.ok(bomb.length < 131_072);
  const { failed } = await ask(t, (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end(bomb));
  assert.equal(failed, "the answer is larger than 131072 bytes");
});

test("a redirect is an answer, and nobody follows it", async (t) => {
  for (const status of [301, 302, 303, 307, 308]) {
    const { received, seen } = await ask(t, (_, response) => response.writeHead(status, { location: "/second" }).end());
    assert.equal(received.status, status);
    assert.deepEqual(received.headers.find(([name]) => name === "location"), ["location", "/second"]);
    assert.deepEqual(seen, ["/first"]);
  }
});

test("an answer that is no HTTP, and a server that is not there, are said in one line", async (t) => {
  const { failed } = await ask(t, (request) => request.socket.end("nonsense\r\n\r\n"));
  assert.match(failed, /^[^\n]+$/);
  const [gone] = await answers([
    { url: "http://127.0.0.1:1/", method: "GET", headers: [], body: "", timeout: 60_000, limit: 100 },
  ]);
  assert.match(gone.failed, /^[^\n]+$/);
});
