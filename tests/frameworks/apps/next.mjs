// A built Next.js application: the folder is the first argument. Says the id of the build and the port.

import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import next from "next";

const dir = new URL(process.argv[2], import.meta.url).pathname;
process.env.NODE_ENV = "production";

// Next.js sends requests to itself, so it has to know the port.
const server = createServer().listen(0, "127.0.0.1");
await once(server, "listening");
const { port } = server.address();
const app = next({ dev: false, dir, hostname: "127.0.0.1", port });
await app.prepare();
server.on("request", app.getRequestHandler());
console.log(`build ${readFileSync(`${dir}/.next/BUILD_ID`, "utf8")}`);
console.log(port);
