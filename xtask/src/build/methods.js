
import { WorkerEntrypoint } from "cloudflare:workers";

// A service binding can only call methods of a class.
class Entrypoint extends WorkerEntrypoint {}

for (const [name, handler] of Object.entries(handlers)) {
  Entrypoint.prototype[name] = function (event) {
    return handler(event, this.env, this.ctx);
  };
}

function method(name, implementation) {
  Entrypoint.prototype[name] = (...values) => guarded(() => implementation(...values));
}

export default Entrypoint;
