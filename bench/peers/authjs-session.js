// Auth.js itself, as a framework's adapter calls it.
import { Auth } from "@auth/core";

export default {
  fetch: (request, env) =>
    Auth(request, {
      basePath: "/auth",
      trustHost: true,
      secret: env.AUTH_SECRET,
      providers: [{ id: "acme", type: "oidc", issuer: "https://idp.example", clientId: "bench", clientSecret: "bench" }],
    }),
};
