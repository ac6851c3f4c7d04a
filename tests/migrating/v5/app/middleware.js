import { auth } from "./auth";

export default auth((request) => {
  const { pathname } = request.nextUrl;
  const user = request.auth?.user;
  if (!user) return Response.redirect(new URL("/api/auth/signin", request.nextUrl));
  if (pathname.startsWith("/admin") && !user.roles?.includes("admin")) return new Response("No access", { status: 403 });
});

export const config = { matcher: ["/account", "/admin/:path*"] };
