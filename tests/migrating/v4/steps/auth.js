export const authOptions = {
  providers: [],
  callbacks: {
    session({ session, token }) {
      session.user.id = token.sub;
      session.user.roles = token.roles;
      session.accessToken = token.access_token;
      return session;
    },
  },
};
