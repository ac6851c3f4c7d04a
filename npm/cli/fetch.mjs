// Sends the requests of `check --live`. Started as a program, it reads them as JSON from its input and prints the answers.

import { pathToFileURL } from "node:url";

/** The answers to the requests, in their order. Each keeps to its time and size, and no redirect is followed. */
export function answers(probes) {
  return Promise.all(probes.map(answer));
}

async function answer(probe) {
  try {
    return { received: await send(probe) };
  } catch (error) {
    return { failed: reason(error, probe) };
  }
}

async function send({ url, method, headers, body, timeout, limit }) {
  const response = await fetch(url, {
    method,
    headers,
    body: method === "GET" ? undefined : body,
    redirect: "manual",
    signal: AbortSignal.timeout(timeout),
  });
  const text = await bounded(response, limit);
  return { status: response.status, headers: [...response.headers], body: text, at: Math.floor(Date.now() / 1000) };
}

class TooLarge extends Error {}

async function bounded(response, limit) {
  const chunks = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > limit) throw new TooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

function reason(error, { timeout, limit }) {
  if (error instanceof TooLarge) return `the answer is larger than ${limit} bytes`;
  if (error.name === "TimeoutError") return `no answer within ${timeout / 1000} s`;
  const cause = error.cause;
  return String(cause?.code ?? cause?.message ?? error.message);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  const probes = JSON.parse(Buffer.concat(chunks).toString("utf8"));
  process.stdout.write(JSON.stringify(await answers(probes)));
}
