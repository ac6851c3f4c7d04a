import Okta from "next-auth/providers/okta";

export const authOptions = {
  providers: [
    Okta({
      clientId: process.env.OKTA_CLIENT_ID,
      clientSecret: process.env.OKTA_CLIENT_SECRET,
      issuer: process.env.OKTA_ISSUER,
      checks: ["pkce", "state"],
    }),
  ],
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
};
