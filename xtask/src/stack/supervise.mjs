// Runs a command in a process group of its own, and ends the whole group when standard input ends or a signal
// asks for it: wrangler starts processes that would outlive it when the program above dies.
//
//   node supervise.mjs COMMAND [ARGUMENT…]
import { spawn } from "node:child_process";

const GRACE_MS = 4000;

const [command, ...given] = process.argv.slice(2);
const child = spawn(command, given, { detached: true, stdio: ["ignore", "inherit", "inherit"] });

child.on("error", (error) => {
  console.error(`cannot start ${command}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  group("SIGKILL");
  process.exit(code ?? (signal === "SIGTERM" ? 0 : 1));
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"]) process.on(signal, end);
process.stdin.on("end", end).on("close", end).on("error", end).resume();

let ending = false;
function end() {
  if (ending) return;
  ending = true;
  group("SIGTERM");
  setTimeout(() => group("SIGKILL"), GRACE_MS);
}

function group(signal) {
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
