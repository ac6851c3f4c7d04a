// Your own handler that calls the Worker, and what must not compile.
import worker, { createWorker, type Configuration, type Worker } from "@vestibule-auth/edge";

export const own: ExportedHandler = {
  async fetch(request, env, context) {
    if (new URL(request.url).pathname === "/ping") return new Response("pong");
    return await worker.fetch(request, env, context);
  },
};

const configuration: Configuration = { base_path: "/auth", rules: [{ match: "/", access: "public" }] };
export const withoutOne: Worker = createWorker();
export const withOne: Worker = createWorker(configuration);

// @ts-expect-error: a configuration is an object, and not its text
createWorker('{ "base_path": "/auth" }');
// @ts-expect-error: the environment belongs to a request
worker.fetch(new Request("https://app.example.com/"));
// @ts-expect-error: nobody calls what is not there
worker.scheduled();
