import NextAuth from "next-auth";
import Okta from "next-auth/providers/okta";

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [Okta],
  callbacks: {
    jwt({ token, account, profile }) {
      if (account) {
        token.accessToken = account.access_token;
        token.roles = profile.roles;
      }
      return token;
    },
    session({ session, token }) {
      session.user.id = token.sub;
      session.user.roles = token.roles;
      session.accessToken = token.accessToken;
      return session;
    },
  },
});
