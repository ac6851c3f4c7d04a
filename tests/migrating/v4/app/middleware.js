import { withAuth } from "next-auth/middleware";

export default withAuth({
  callbacks: {
    authorized({ req, token }) {
      return req.nextUrl.pathname.startsWith("/admin") ? Boolean(token?.roles?.includes("admin")) : Boolean(token);
    },
  },
});

export const config = { matcher: ["/account", "/admin/:path*"] };
