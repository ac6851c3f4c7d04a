/** Options as the functions need them, from those that a caller writes. What is wrong is a `TypeError` with its name. */
const checked = new WeakMap();

export function verification(options) {
  if (options === null || typeof options !== "object") {
    throw new TypeError("options are missing: { issuer, audience }");
  }
  let result = checked.get(options);
  if (result === undefined) checked.set(options, (result = check(options)));
  return result;
}

function check(options) {
  const issuers = texts(options.issuer, "issuer", '"https://app.example.com/auth"');
  const audiences = texts(options.audience, "audience", '"https://backend.example.net"');
  for (const issuer of issuers) address(issuer, "issuer");
  if (options.jwksUri !== undefined) address(options.jwksUri, "jwksUri");
  const fetch = options.fetch ?? globalThis.fetch;
  if (typeof fetch !== "function") throw new TypeError("options.fetch: is no function");
  const now = options.now ?? Date.now;
  if (typeof now !== "function") throw new TypeError("options.now: is no function");
  return {
    issuers,
    audiences,
    jwksUri: (issuer) => options.jwksUri ?? `${issuer}/jwks.json`,
    fetch,
    now,
    clockTolerance: number(options.clockTolerance, "clockTolerance", 5, 0, 60),
    timeout: number(options.timeout, "timeout", 5000, 1, 60_000),
  };
}

function texts(value, name, example) {
  const list = Array.isArray(value) ? [...value] : [value];
  if (list.length === 0 || list.some((text) => typeof text !== "string" || text === "")) {
    throw new TypeError(`options.${name}: is a text such as ${example}, or a list of such texts`);
  }
  return list;
}

/** Keys that are fetched without TLS could be anyone's, except on this machine. */
function address(text, name) {
  let url;
  try {
    url = new URL(text);
  } catch {
    throw new TypeError(`options.${name}: is no URL: ${JSON.stringify(text)}`);
  }
  const isLocal = /^(localhost|.*\.localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) {
    throw new TypeError(`options.${name}: has to be https, or http on this machine: ${JSON.stringify(text)}`);
  }
}

function number(value, name, otherwise, least, most) {
  if (value === undefined) return otherwise;
  if (typeof value !== "number" || !(value >= least && value <= most)) {
    throw new TypeError(`options.${name}: is a number from ${least} to ${most}`);
  }
  return value;
}
