// Every combination of answers to `init` with what it writes, one line of JSON each, for tests/configuration/init.rs.
import { FRAMEWORKS, app, hosts, issuer, needsIssuer, publicPaths, signIn } from "../../npm/cli/init/answers.mjs";
import { files, secretsOf } from "../../npm/cli/init/project.mjs";
import { providers } from "../../npm/cli/init/templates.mjs";

const ISSUER = "https://login.example.com/oauth2/default";
const HOSTS = ["", "app.example.com", "auth.example.com,app.example.com", "app.example.com,other.example.org"];
const PATHS = ["", "/", "/,/about,/static/:path*"];
const WHO = ["okta", "google", "keycloak", "auth0", "acme", "https://api.example.com/", "https://api.example.com/v1/login?x=1"];
const ORIGINS = ["origin", "https://backend.example.net", "http://localhost:3000", "service:my-app", "assets:./public"];

function combination(written) {
  const own = app(written.app);
  if (written.origin !== undefined) own.origin = app(written.origin).origin;
  const who = signIn(written.who);
  if (who.provider !== undefined && needsIssuer(who.provider)) who.issuer = issuer(written.issuer ?? ISSUER);
  const answers = {
    ...own,
    ...who,
    hosts: hosts(written.hosts),
    publicPaths: publicPaths(written.paths),
    name: "vestibule",
  };
  console.log(JSON.stringify({ written, answers, secrets: secretsOf(answers), files: files(answers) }));
}

for (const framework of Object.keys(FRAMEWORKS)) {
  for (const who of WHO) {
    for (const names of HOSTS) {
      for (const paths of PATHS) combination({ app: framework, who, hosts: names, paths });
    }
    for (const origin of ORIGINS) combination({ app: framework, origin, who, hosts: "app.example.com", paths: "/" });
  }
}
for (const origin of ORIGINS) {
  for (const who of WHO) combination({ app: origin, who, hosts: "app.example.com", paths: "/" });
}
for (const who of Object.keys(providers)) combination({ app: "express", who, hosts: "app.example.com", paths: "/" });

// Answers that are no plain words stay what they are.
const HOSTILE = ['/a"b', "/a'b", '/"]#', "/\\u0022", '/a"""b', "/a\u007fb", "/ä€😀"];
for (const paths of HOSTILE) combination({ app: "express", who: "acme", hosts: "", paths, hostile: true });
combination({ app: "express", who: "acme", issuer: 'https://login.example.com/"\n[[rules]]\naccess = "public"\n#', hosts: "", paths: "", hostile: true });
combination({ app: "express", origin: 'assets:./a"\n[vars]\nAUTH_SECRET = "x', who: "acme", hosts: "", paths: "", hostile: true });
