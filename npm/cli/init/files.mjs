import { createHash, randomBytes } from "node:crypto";
import { lstatSync, readFileSync, renameSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UsageError } from "./answers.mjs";

/** What the first line of a file says that `init` wrote: the hash of what follows it. */
const MARK = / Written by npx @vestibule-auth\/edge init\. ([0-9a-f]{64})$/;

/**
 * Writes the files into a folder, all or none. One that exists is never replaced, except with `isForced` one that `init`
 * wrote and nobody has changed since. `blocking` are further names that must not exist.
 */
export function write(folder, files, { isForced, blocking }) {
  const existing = [...Object.keys(files), ...blocking].filter((name) => stat(join(folder, name)) !== undefined);
  const kept = existing.filter((name) => !(isForced && files[name] !== undefined && isUnchanged(join(folder, name))));
  if (kept.length > 0) {
    const how = isForced
      ? "init did not write them, or they have changed since: move them away first"
      : "nothing was written. Move them away, or replace those that init wrote, and nobody has changed, with --force";
    throw new UsageError(`there is already ${kept.join(", ")}: ${how}`);
  }
  const written = [];
  try {
    for (const [name, content] of Object.entries(files)) {
      const path = join(folder, name);
      const mode = name === ".dev.vars" ? 0o600 : 0o666;
      if (existing.includes(name)) {
        const temporary = `${path}.${randomBytes(6).toString("hex")}`;
        writeFileSync(temporary, marked(name, content), { flag: "wx", mode });
        renameSync(temporary, path);
      } else {
        // `wx` fails where the file has come to be meanwhile, also as a link to another place.
        writeFileSync(path, marked(name, content), { flag: "wx", mode });
        written.push(path);
      }
    }
  } catch (error) {
    for (const path of written) unlinkSync(path);
    throw error;
  }
}

/** Adds the lines that .gitignore does not have yet; the others stay as they are. Gives those that were added. */
export function ignore(folder, lines) {
  const path = join(folder, ".gitignore");
  const before = stat(path) === undefined ? "" : readFileSync(path, "utf8");
  const has = new Set(before.split(/\r?\n/).map((line) => line.trim().replace(/^\/|\/$/g, "")));
  const added = lines.filter((line) => !has.has(line.replace(/\/$/, "")));
  if (added.length > 0) {
    const end = before === "" || before.endsWith("\n") ? "" : "\n";
    writeFileSync(path, `${before}${end}${added.join("\n")}\n`);
  }
  return added;
}

function marked(name, content) {
  const sign = name.endsWith(".js") ? "//" : "#";
  return `${sign} Written by npx @vestibule-auth/edge init. ${hash(content)}\n${content}`;
}

function isUnchanged(path) {
  if (!stat(path).isFile()) return false;
  const text = readFileSync(path, "utf8");
  const end = text.indexOf("\n");
  return text.slice(0, Math.max(end, 0)).match(MARK)?.[1] === hash(text.slice(end + 1));
}

function hash(text) {
  return createHash("sha256").update(text).digest("hex");
}

/** What is at a path, without following a link. */
function stat(path) {
  return lstatSync(path, { throwIfNoEntry: false });
}
