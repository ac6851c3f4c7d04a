/** A text as a TOML string: whatever is in it stays text. */
export function text(value) {
  if (!value.isWellFormed()) throw new Error("the text is not valid Unicode");
  // JSON escapes what TOML wants escaped, in the same way, except DEL.
  return JSON.stringify(value).replaceAll("\x7f", "\\u007f");
}

/** A list of texts, or the text alone if there is one. */
export function textOrList(values) {
  return values.length === 1 ? text(values[0]) : `[${values.map(text).join(", ")}]`;
}

/**
 * The tables of a configuration of examples/, in their order: the header without its brackets, whether it is one of
 * several (`[[…]]`), and the lines. A file of examples has its comments behind values.
 */
export function tables(source) {
  const tables = [];
  for (const line of source.split("\n")) {
    const header = line.match(/^\[(\[?)([A-Za-z0-9_.]+)\]?\]\s*(?:#.*)?$/);
    if (header !== null) tables.push(new Table(header[2], header[1] === "[", []));
    else if (line.trim() !== "") tables.at(-1)?.lines.push(line);
  }
  return tables;
}

/** A table of a configuration. Every change is of one key. */
export class Table {
  constructor(name, isOneOfSeveral, lines) {
    this.name = name;
    this.isOneOfSeveral = isOneOfSeveral;
    this.lines = lines;
  }

  copy() {
    return new Table(this.name, this.isOneOfSeveral, [...this.lines]);
  }

  has(key) {
    return this.#find(key) !== undefined;
  }

  /** Sets a key to what `value` is in TOML, with an explanation; at the end if there is none yet. */
  set(key, value, comment) {
    const line = comment === undefined ? `${key} = ${value}` : `${`${key} = ${value}`.padEnd(46)} # ${comment}`;
    const at = this.#find(key);
    if (at === undefined) this.lines.push(line);
    else this.lines[at] = line;
    return this;
  }

  remove(...keys) {
    for (const key of keys) {
      const at = this.#find(key);
      if (at !== undefined) this.lines.splice(at, 1);
    }
    return this;
  }

  /** Makes a comment of a key. */
  disable(...keys) {
    for (const key of keys) {
      const at = this.#find(key);
      if (at !== undefined) this.lines[at] = `# ${this.lines[at]}`;
    }
    return this;
  }

  /** Replaces a text in all lines. */
  replace(from, to) {
    this.lines = this.lines.map((line) => line.replaceAll(from, () => to));
    return this;
  }

  /** Whether no key is set. */
  get isEmpty() {
    return this.lines.every((line) => line.startsWith("#"));
  }

  /** The table as text; as a comment if it sets nothing or `isDisabled`. */
  text(isDisabled = this.isEmpty) {
    const header = this.name === "" ? [] : [this.isOneOfSeveral ? `[[${this.name}]]` : `[${this.name}]`];
    const lines = [...header, ...this.lines];
    return lines.map((line) => (isDisabled && !line.startsWith("#") ? `# ${line}` : line)).join("\n");
  }

  #find(key) {
    const start = new RegExp(`^${key}\\s*=`);
    const at = this.lines.findIndex((line) => start.test(line));
    return at === -1 ? undefined : at;
  }
}
