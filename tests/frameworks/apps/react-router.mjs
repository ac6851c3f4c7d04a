// The built application in apps/react-router.

import { createRequestListener } from "@react-router/node";

import { serve } from "./serve.mjs";

const build = await import("./react-router/build/server/index.js");
serve(createRequestListener({ build }));
