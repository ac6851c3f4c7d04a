import { readFileSync } from "node:fs";

const data = JSON.parse(readFileSync(new URL("templates.json", import.meta.url), "utf8"));

/** The configurations of the project's examples, by the example's name. */
export const examples = data.examples;

/** What is known of the built-in providers, by their `id`. */
export const providers = data.providers;
