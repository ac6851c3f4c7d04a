// An MCP server of the official SDK, over streamable HTTP with sessions. It checks no token: who may call it is for what
// stands in front of it, which also says who calls.
//
//   node mcp-server.mjs '{}'
//
// It prints `http://127.0.0.1:PORT`. GET /control/requests says which requests it got: method, path, and some fields.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as pause } from "node:timers/promises";

import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { isInitializeRequest } from "@modelcontextprotocol/sdk/types.js";

const transports = new Map();
const requests = [];

function mcp() {
  const server = new McpServer({ name: "tools-of-a-test", version: "1.0.0" }, { capabilities: { logging: {} } });
  server.registerTool("whoami", { description: "Says who calls" }, (extra) =>
    said(String(extra.requestInfo.headers["x-user-id"] ?? "nobody")),
  );
  server.registerTool("countdown", { description: "Counts down, one message at a time" }, async (extra) => {
    for (const left of [3, 2, 1]) {
      await extra.sendNotification({ method: "notifications/message", params: { level: "info", data: `${left} left` } });
      await pause(300);
    }
    return said("done");
  });
  server.registerTool("long", { description: "Says nothing for twenty seconds" }, async () => {
    await pause(20_000);
    return said("done");
  });
  server.registerTool("learn", { description: "Gets another tool, and says so to who listens" }, () => {
    server.registerTool(`learned-${randomUUID()}`, { description: "Was learned" }, () => said("nothing"));
    return said("learned");
  });
  return server;
}

function said(text) {
  return { content: [{ type: "text", text }] };
}

const http = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  if (pathname === "/control/requests") {
    return response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(requests));
  }
  const fields = ["authorization", "x-user-id", "mcp-session-id", "origin", "cookie"];
  const seen = Object.fromEntries(fields.map((name) => [name, request.headers[name] ?? null]));
  requests.push({ method: request.method, path: pathname, ...seen });
  const body = request.method === "POST" ? JSON.parse(await text(request)) : undefined;
  let transport = transports.get(request.headers["mcp-session-id"]);
  if (!transport) {
    if (!isInitializeRequest(body)) return response.writeHead(404).end();
    transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => transports.set(id, transport),
    });
    transport.onclose = () => transports.delete(transport.sessionId);
    await mcp().connect(transport);
  }
  await transport.handleRequest(request, response, body);
});
http.listen(0, "127.0.0.1", () => console.log(`MCP server at http://127.0.0.1:${http.address().port}`));

async function text(stream) {
  let text = "";
  for await (const chunk of stream) text += chunk;
  return text;
}
