// The Worker's entry point. It passes events to Rust. A panic or a trap leaves the WebAssembly's memory in an unknown
// state; the next event then starts with a new instance. Otherwise every event would fail until the isolate ends.
import * as bindings from "./index.js";

Error.stackTraceLimit = 100;

// { criticalError, instanceId }: shared with the crate `worker`. Its panic hook sets `criticalError`, and its start function
// increments `instanceId`.
const state = bindings.__worker_init_state();

// What each instance is told before anything else.
let prepare = () => {};

function restartAfterPanic() {
  if (!state.criticalError) return;
  console.warn("starting a new WebAssembly instance after a panic or trap");
  bindings.__wbg_reset_state();
  state.criticalError = false;
  state.instanceId++;
  prepare();
}

function noticeTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  console.error("trap", error);
  state.criticalError = true;
}

// A trap in a task that nothing awaits is only reported here.
addEventListener("error", (event) => noticeTrap(event.error));

// Calls Rust on an intact instance. Checks whether an error, thrown now or later by the promise, is a trap, and throws it
// again.
function guarded(call) {
  restartAfterPanic();
  try {
    const result = call();
    if (!(result instanceof Promise)) return result;
    return result.catch((error) => {
      noticeTrap(error);
      throw error;
    });
  } catch (error) {
    noticeTrap(error);
    throw error;
  }
}

// The Worker's event handlers. A plain object and not a class: the runtime creates a new instance of a class for every
// event, which takes a tenth of the CPU time of an event.
const handlers = {};

function handle(name, handler) {
  handlers[name] = (event, env, context) => guarded(() => handler(event, env, context));
}

// A Durable Object can outlive the WebAssembly instance in which its Rust object was created. This proxy creates the Rust
// object again, from the same arguments, in each new instance, and calls its methods there.
function recovering(Class) {
  return new Proxy(Class, {
    construct(target, values, newTarget) {
      const make = () => Reflect.construct(target, values, newTarget);
      let current = guarded(make);
      let instanceId = state.instanceId;
      const latest = () => {
        restartAfterPanic();
        if (instanceId !== state.instanceId) {
          current = guarded(make);
          instanceId = state.instanceId;
        }
        return current;
      };
      return new Proxy(current, {
        get(_, property) {
          const value = Reflect.get(latest(), property);
          if (typeof value !== "function") return value;
          return (...given) => guarded(() => latest()[property](...given));
        },
        set: (_, property, value) => Reflect.set(latest(), property, value),
        has: (_, property) => Reflect.has(latest(), property),
      });
    },
  });
}

