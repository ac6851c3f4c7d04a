// Next.js 16: a route handler, a server component and the proxy.
import { headers } from "next/headers";
import { NextResponse, type NextRequest } from "next/server";
import { user, verifyAssertion } from "@vestibule-auth/edge/server";

const options = { issuer: ["https://app.example.com/auth", "https://www.example.com/auth"], audience: "web" };

export async function GET(request: NextRequest) {
  const claims = await verifyAssertion<{ roles: string[] }>(request, options);
  const roles: string[] = claims.roles;
  return NextResponse.json({ sub: claims.sub, roles, expires: claims.exp });
}

export async function currentUser() {
  return await user<{ roles: string[] }>({ headers: await headers() }, options);
}

export async function proxy(request: NextRequest) {
  const current = await user(request, {
    trustNetwork: true,
    headers: { sub: "X-User", roles: { name: "X-User-Roles", list: true } },
  });
  return current === null ? new NextResponse(null, { status: 401 }) : NextResponse.next();
}
