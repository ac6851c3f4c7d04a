// `wasi:keyvalue` for jco, which has none: the bucket is the folder in STORE_FOLDER, which several processes can share. Each
// operation has the folder for itself, so all processes see them in one order.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.STORE_FOLDER;
const sleeper = new Int32Array(new SharedArrayBuffer(4));

class Bucket {
  get(key) {
    return alone(() => read(key));
  }

  set(key, value) {
    alone(() => writeFileSync(file(key), value));
  }

  delete(key) {
    alone(() => rmSync(file(key), { force: true }));
  }
}

export const store = { Bucket, open: () => new Bucket() };

export const atomics = {
  increment(_bucket, key, delta) {
    return alone(() => {
      const sum = BigInt(new TextDecoder().decode(read(key) ?? new Uint8Array())) + delta;
      writeFileSync(file(key), String(sum));
      return sum;
    });
  },
};

function file(key) {
  return join(folder, createHash("sha256").update(key).digest("hex"));
}

function read(key) {
  try {
    return new Uint8Array(readFileSync(file(key)));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
}

/** Calls it while no other process does. */
function alone(act) {
  const taken = join(folder, "taken");
  for (;;) {
    try {
      mkdirSync(taken);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    Atomics.wait(sleeper, 0, 0, 1);
  }
  try {
    return act();
  } finally {
    rmdirSync(taken);
  }
}
