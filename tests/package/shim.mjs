// Tests what the Worker's entry point does with a configuration, with bindings of its own in place of the WebAssembly: what
// `createWorker` refuses, and that each new instance gets the configuration before its first request.
//
//   node tests/package/shim.mjs
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const SOURCE = new URL("../../xtask/src/build/", import.meta.url);

const BINDINGS = `
export const calls = [];
export const state = { criticalError: false, instanceId: 0 };
export const __worker_init_state = () => state;
export const __wbg_reset_state = () => calls.push("reset");
export const configure = (text) => calls.push(text);
export const fetch = (request) => {
  calls.push(request);
  if (request === "trap") throw new WebAssembly.RuntimeError("unreachable");
  return "answer";
};
`;

globalThis.addEventListener = () => {};
for (const method of ["warn", "error"]) console[method] = () => {};

const folder = await mkdtemp(join(tmpdir(), "vestibule-shim-"));
try {
  const [shim, configured] = await Promise.all(["shim.js", "configured.js"].map((name) => readFile(new URL(name, SOURCE), "utf8")));
  const text = `${shim}handle("fetch", bindings.fetch);\n${configured}export default handlers;\n`;
  const load = async (name) => {
    await writeFile(join(folder, `${name}-index.mjs`), BINDINGS);
    await writeFile(join(folder, `${name}.mjs`), text.replace('"./index.js"', `"./${name}-index.mjs"`));
    const of = (file) => import(pathToFileURL(join(folder, file)));
    return { ...(await of(`${name}.mjs`)), ...(await of(`${name}-index.mjs`)) };
  };
  for (const test of [givesEachInstanceItsConfiguration, leavesAWorkerWithoutOneAlone, refusesWhatIsNoTable, refusesASecondOne]) {
    await test(await load(test.name));
  }
} finally {
  await rm(folder, { recursive: true });
}

function givesEachInstanceItsConfiguration({ createWorker, calls }) {
  const worker = createWorker({ rules: [] });
  assert.equal(worker.fetch("first"), "answer");
  assert.throws(() => worker.fetch("trap"), WebAssembly.RuntimeError);
  assert.equal(worker.fetch("second"), "answer");
  assert.equal(worker.fetch("third"), "answer");
  assert.deepEqual(calls, ['{"rules":[]}', "first", "trap", "reset", '{"rules":[]}', "second", "third"]);
}

function leavesAWorkerWithoutOneAlone({ createWorker, calls, default: worker }) {
  assert.equal(createWorker(), worker);
  assert.throws(() => worker.fetch("trap"), WebAssembly.RuntimeError);
  worker.fetch("next");
  assert.deepEqual(calls, ["trap", "reset", "next"]);
}

function refusesWhatIsNoTable({ createWorker, calls }) {
  for (const wrong of [null, "{}", 7, [], () => ({}), Promise.resolve({})]) {
    assert.throws(() => createWorker(wrong), /createWorker needs an object/);
  }
  assert.deepEqual(calls, []);
}

function refusesASecondOne({ createWorker }) {
  assert.equal(createWorker({ a: 1 }), createWorker({ a: 1 }));
  assert.throws(() => createWorker({ a: 2 }), /two configurations/);
}
