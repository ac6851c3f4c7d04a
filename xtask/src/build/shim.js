// The Worker's entry. It hands events to Rust, and after a panic or a trap, which leave the WebAssembly's memory
// in an unknown state, it lets the next event begin with a fresh instance instead of failing until the isolate
// is gone.
import * as bindings from "./index.js";

Error.stackTraceLimit = 100;

// { criticalError, instanceId }: shared with the `worker` crate, whose panic hook sets `criticalError` and whose
// start function counts `instanceId` up.
const state = bindings.__worker_init_state();

function startAfreshAfterPanic() {
  if (!state.criticalError) return;
  console.warn("starting a fresh WebAssembly instance after a panic");
  bindings.__wbg_reset_state();
  state.criticalError = false;
  state.instanceId++;
}

function noticeTrap(error) {
  if (!(error instanceof WebAssembly.RuntimeError)) return;
  console.error("trap", error);
  state.criticalError = true;
}

// A trap in a task that nothing awaits is seen only here.
addEventListener("error", (event) => noticeTrap(event.error));

// Calls into Rust, on an instance that is sound; what it throws, now or later, is looked at and passed on.
function guarded(call) {
  startAfreshAfterPanic();
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

// The Worker's handlers of events. A plain object, not a class: the runtime makes a new one of a class for every
// event, and that is a tenth of what an event costs.
const handlers = {};

function handle(name, handler) {
  handlers[name] = (event, env, context) => guarded(() => handler(event, env, context));
}

// A Durable Object lives longer than the WebAssembly instance that its Rust half was made in: its methods go to
// a half that is made anew, from the same arguments, in each new instance.
function recovering(Class) {
  return new Proxy(Class, {
    construct(target, values, newTarget) {
      const make = () => Reflect.construct(target, values, newTarget);
      let current = guarded(make);
      let instanceId = state.instanceId;
      const latest = () => {
        startAfreshAfterPanic();
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

