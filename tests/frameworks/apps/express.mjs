// `express` 5 or `express4`, by the name of the package in the first argument.

import { serve } from "./serve.mjs";

const { default: express } = await import(process.argv[2]);
const app = express();
app.get(["/", "/about"], (_, response) => response.send("public page"));
// `all` answers OPTIONS, too, as careless handlers do.
app.all("/admin", (_, response) => response.set("x-handler", "ran").send("guarded page"));
app.all("/admin/users", (_, response) => response.send("guarded page"));
serve(app);
