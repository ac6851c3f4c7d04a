// The static export of apps/next-export, served by a file server that finds `/admin` in admin.html.

import sirv from "sirv";

import { serve } from "./serve.mjs";

const files = sirv(new URL("next-export/out", import.meta.url).pathname);
serve((request, response) => files(request, response, () => response.writeHead(404).end()));
