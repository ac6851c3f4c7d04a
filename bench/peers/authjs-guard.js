// A guard as Auth.js's documentation has it: getToken, then on to the application with the access token.
import { getToken } from "@auth/core/jwt";

export default {
  async fetch(request, env) {
    const token = await getToken({ req: request, secret: env.AUTH_SECRET, secureCookie: true });
    if (!token) return Response.redirect(new URL("/auth/signin", request.url), 302);
    const headers = new Headers(request.headers);
    headers.set("authorization", `Bearer ${token.access_token}`);
    return env.APP.fetch(new Request(request, { headers }));
  },
};
