// A built Next.js application: the folder is the first argument. Says the port and the id of the build.

import { readFileSync } from "node:fs";
import next from "next";

import { serve } from "./serve.mjs";

const dir = new URL(process.argv[2], import.meta.url).pathname;
process.env.NODE_ENV = "production";
const app = next({ dev: false, dir });
await app.prepare();
console.log(`build ${readFileSync(`${dir}/.next/BUILD_ID`, "utf8")}`);
serve(app.getRequestHandler());
