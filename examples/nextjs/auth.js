import NextAuth from "next-auth";

// Vestibule handles sign-in and sign-out at /auth, so there is no provider, no route handler and no proxy.js here. next-auth
// only decrypts the session cookie, with the secret that Vestibule encrypted it with.
export const { auth } = NextAuth({
  providers: [],
  basePath: "/auth",
  callbacks: {
    // auth() also gives these in addition to name, email and image. `token` contains all claims of the session.
    session({ session, token }) {
      session.user.id = token.sub;
      session.user.roles = token.roles;
      return session;
    },
  },
});
