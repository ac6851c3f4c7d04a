import Router from "@koa/router";
import Koa from "koa";

import { serve } from "./serve.mjs";

const router = new Router();
router.get(["/", "/about"], (context) => {
  context.body = "public page";
});
for (const path of ["/admin", "/admin/users"]) {
  // `all` answers OPTIONS, too, as careless handlers do.
  router.all(path, (context) => {
    context.body = "guarded page";
  });
}
serve(new Koa().use(router.routes()).callback());
