import NextAuth from "next-auth";

// Signing in and out is answered by Vestibule, at /auth. So there is no provider here, no route handler and no
// proxy.js: what is left of next-auth opens the session's cookie, with the secret that Vestibule sealed it with.
export const { auth } = NextAuth({
  providers: [],
  basePath: "/auth",
  callbacks: {
    // What auth() gives beside name, email and image. `token` is all that was sealed.
    session({ session, token }) {
      session.user.id = token.sub;
      session.user.roles = token.roles;
      return session;
    },
  },
});
