// The Worker's module without the types of a runtime of Workers: those of a browser do.
import worker, { createWorker, RefreshLease } from "@vestibule-auth/edge";

export const handlers: { fetch: (request: Request, env: object, context: object) => Response | Promise<Response> } = worker;
export const configured = createWorker({ base_path: "/auth" });
export class Lease extends RefreshLease {}
