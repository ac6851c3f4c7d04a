// The guard, and the route that adds the token to calls of the API.
import { auth } from "@/auth";

export { auth as proxy };

export const config = { matcher: ["/((?!_next/static|api/auth|$).*)"] };

export async function callApi(request, path) {
  const session = await auth();
  if (!session) return Response.json({ error: "unauthorized" }, { status: 401 });
  const headers = { Authorization: `Bearer ${session.accessToken}`, "X-User-Email": session.user.email };
  return fetch(`https://api.example.com/api/${path}`, { method: request.method, headers, body: request.body });
}
