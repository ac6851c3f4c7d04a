import { getToken } from "next-auth/jwt";

// All claims in Vestibule's session. The access token stays on the server: use it to call an API.
export async function GET(request) {
  const token = await getToken({
    req: request,
    secret: process.env.AUTH_SECRET,
    // The cookie has another name on https.
    secureCookie: request.headers.get("x-forwarded-proto") === "https",
  });
  const { sub, name, email, roles, groups, access_token } = token;
  return Response.json({ sub, name, email, roles, groups: groups.length, has_access_token: Boolean(access_token) });
}
