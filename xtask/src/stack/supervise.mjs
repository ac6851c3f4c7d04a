// Runs a command in its own process group, and ends the whole group when standard input closes or a termination signal
// arrives. Without this, processes that wrangler starts would keep running after the parent program has ended.
//
//   node supervise.mjs COMMAND [ARGUMENT…]
import { spawn, spawnSync } from "node:child_process";

const GRACE_MS = 4000;

const [command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { detached: true, stdio: ["ignore", "inherit", "inherit"] });

child.on("error", (error) => {
  console.error(`cannot start ${command}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  signalGroup("SIGKILL");
  process.exit(code ?? (signal === "SIGTERM" ? 0 : 1));
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);
process.stdin.on("end", end).on("close", end).on("error", end).resume();

let ending = false;
function end() {
  if (ending) return;
  ending = true;
  signalGroup("SIGTERM");
  setTimeout(() => signalGroup("SIGKILL"), GRACE_MS);
}

// Windows has no process groups to signal: `taskkill /T` ends a process with those that it started.
function signalGroup(signal) {
  if (process.platform === "win32") {
    spawnSync("taskkill", ["/T", "/F", "/PID", String(child.pid)], { stdio: "ignore" });
    return;
  }
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
