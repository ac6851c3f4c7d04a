// What this example needs no more: next-auth as an OAuth client, with the refresh of the token and the guard. It is not run.
import NextAuth from "next-auth";
import Okta from "next-auth/providers/okta";

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [Okta({ authorization: { params: { scope: "openid profile email offline_access" } } })],
  callbacks: {
    async jwt({ token, account, profile }) {
      if (account) {
        return {
          ...token,
          access_token: account.access_token,
          refresh_token: account.refresh_token,
          expires_at: account.expires_at,
          groups: profile?.groups,
          isAdmin: profile?.isAdmin,
        };
      }
      if (Date.now() < token.expires_at * 1000) return token;
      try {
        const response = await fetch(`${process.env.AUTH_OKTA_ISSUER}/v1/token`, {
          method: "POST",
          headers: { "Content-Type": "application/x-www-form-urlencoded" },
          body: new URLSearchParams({
            grant_type: "refresh_token",
            refresh_token: token.refresh_token,
            client_id: process.env.AUTH_OKTA_ID!,
            client_secret: process.env.AUTH_OKTA_SECRET!,
          }),
        });
        const renewed = await response.json();
        if (!response.ok) throw renewed;
        return {
          ...token,
          access_token: renewed.access_token,
          refresh_token: renewed.refresh_token ?? token.refresh_token,
          expires_at: Math.floor(Date.now() / 1000) + renewed.expires_in,
          error: undefined,
        };
      } catch {
        return { ...token, error: "RefreshTokenError" };
      }
    },
    session({ session, token }) {
      session.user.id = token.sub!;
      session.user.groups = token.groups;
      session.user.isAdmin = token.isAdmin;
      session.access_token = token.access_token;
      session.error = token.error;
      return session;
    },
    authorized({ auth, request }) {
      if (request.nextUrl.pathname.startsWith("/admin")) return auth?.user?.isAdmin === true;
      return !!auth;
    },
  },
});
