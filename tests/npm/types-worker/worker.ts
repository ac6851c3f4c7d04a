// The entry module of a project's own Worker, as docs/start.md has it, in TypeScript.
import { createWorker, RefreshLease } from "@vestibule-auth/edge";
import config from "./vestibule.config.js";

export default createWorker(config) satisfies ExportedHandler<Env>;
export { RefreshLease };

export interface Env {
  AUTH_KV: KVNamespace;
  AUTH_LEASE: DurableObjectNamespace;
}
