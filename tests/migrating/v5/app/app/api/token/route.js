import { getToken } from "next-auth/jwt";

export async function GET(request) {
  const token = await getToken({ req: request, secret: process.env.AUTH_SECRET });
  return Response.json({ roles: token?.roles ?? null });
}
