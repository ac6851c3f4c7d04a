import { createRemoteJWKSet, jwtVerify } from "jose";

// In place of Okta: issuer "https://dev-123456.okta.com/oauth2/default", keys at `${issuer}/v1/keys`.
const issuer = process.env.ISSUER ?? "http://localhost:9400";
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`));

/** The answer of the API, which accepts Okta's access tokens. */
export async function orders(request: Request): Promise<Response> {
  const token = request.headers.get("authorization")?.replace("Bearer ", "") ?? "";
  try {
    const { payload } = await jwtVerify(token, keys, { issuer, audience: "api://default" });
    return Response.json({ orders: [`order of ${payload.sub}`], audience: payload.aud });
  } catch {
    return Response.json({ error: "invalid_token" }, { status: 401 });
  }
}
