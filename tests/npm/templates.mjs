// Makes npm/cli/init/templates.json, what `init` writes from: the configurations of examples/ as they are, and what the
// table of presets and its document say of each provider. `UPDATE=1 node --test tests/npm/behaviour/templates.test.mjs`
// writes it.
import { readFileSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");

/** The examples of the stories (docs/stories/README.md). */
export const EXAMPLES = ["auth0-spa", "credentials-api", "django-subdomains", "nestjs-cookies", "okta-nextjs"];

export const target = new URL("npm/cli/init/templates.json", root);

/** The text of the file. */
export function templates() {
  const examples = Object.fromEntries(EXAMPLES.map((name) => [name, read(`examples/${name}/wrangler.toml`)]));
  const presets = JSON.parse(read("crates/oidc/src/presets/presets.json"));
  const secrets = secretsOfPresets();
  const providers = Object.fromEntries(
    Object.entries(presets).map(([id, preset]) => {
      const refresh = [preset.refresh_token_needs?.scope ?? []].flat();
      return [
        id,
        {
          name: preset.name,
          example: preset.example,
          secrets: secrets.get(id),
          asksForRefreshToken: preset.scope === undefined && refresh.includes("offline_access") ? true : undefined,
          strictRotation: preset.strict_rotation,
        },
      ];
    }),
  );
  return `${JSON.stringify({ examples, providers }, null, 1)}\n`;
}

/** The names of the secrets of each preset, as docs/providers.md has them. */
function secretsOfPresets() {
  const secrets = new Map();
  for (const section of read("docs/providers.md").split("\n## ").slice(1)) {
    const id = section.match(/^id = "(.+)"$/m)?.[1];
    const names = section.match(/Secrets: (`[A-Z0-9_]+`(?:, `[A-Z0-9_]+`)*)/)?.[1];
    if (id !== undefined && names !== undefined) secrets.set(id, names.replaceAll("`", "").split(", "));
  }
  return secrets;
}
