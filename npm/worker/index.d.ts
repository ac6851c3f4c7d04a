/** The configuration: what `npx @vestibule-auth/edge compile` makes of `vestibule.toml`, or the same keys as an object. */
export interface Configuration {
  readonly [key: string]: unknown;
}

/** The handlers of a Worker. They do not use `this`, so another handler can call them. */
export interface Worker {
  /** Answers a request: a page or route of Vestibule's own, a refusal, or what the upstream answered. */
  fetch(request: Request, env: any, context: any): Response | Promise<Response>;
}

/**
 * The Worker with a configuration that is a part of the bundle.
 *
 * Keys of the variable `AUTH` (`[vars.AUTH]`) override it: tables key by key, everything else as a whole. A Worker has one
 * configuration: a second call needs the same one. Without `config` it is the default export.
 *
 * @throws TypeError if `config` is no object. The module then does not load, and a deployment is refused.
 */
export function createWorker(config?: Configuration): Worker;

/** The Worker whose configuration is the variable `AUTH` (`[vars.AUTH]`). */
declare const worker: Worker;
export default worker;

/** The class of the Durable Object that `refresh.lease` and `revocation.store` use. The entry module has to export it. */
export class RefreshLease {
  constructor(state: any, env: any);
  fetch(request: Request): Promise<Response>;
  alarm(): Promise<void>;
}
