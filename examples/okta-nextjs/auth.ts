import NextAuth from "next-auth";

// Vestibule handles sign-in and sign-out at /auth and refreshes the tokens. next-auth only decrypts the session cookie.
export const { auth } = NextAuth({
  providers: [],
  basePath: "/auth",
  callbacks: {
    session({ session, token }) {
      session.user.id = token.sub ?? "";
      session.user.groups = token.groups;
      session.user.isAdmin = token.isAdmin;
      return session;
    },
  },
});
