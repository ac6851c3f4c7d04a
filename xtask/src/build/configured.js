
// The configuration as JSON, once a Worker was created with one.
let configuration;

// The Worker's event handlers, with a configuration that is a part of the bundle: what `vestibule.config.js` exports. What
// it throws is thrown while the module loads, so that a deployment is refused before it serves a request.
export function createWorker(config) {
  if (config === undefined) return handlers;
  if (config === null || typeof config !== "object" || Array.isArray(config) || typeof config.then === "function") {
    throw new TypeError("createWorker needs an object: what vestibule.config.js exports by default");
  }
  const text = JSON.stringify(config);
  if (configuration !== undefined && configuration !== text) {
    throw new Error("createWorker was called with two configurations: a Worker has one");
  }
  configuration = text;
  prepare = () => bindings.configure(text);
  guarded(prepare);
  return handlers;
}
