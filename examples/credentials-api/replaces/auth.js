// What this example needs no more: next-auth's Credentials provider, with the profile and the refresh. It is not run.
import NextAuth from "next-auth";
import Credentials from "next-auth/providers/credentials";

const API = "https://api.example.com";

export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [
    Credentials({
      credentials: { email: { label: "Email", type: "email" }, password: { label: "Password", type: "password" } },
      async authorize({ email, password }) {
        const response = await fetch(`${API}/sign-in`, {
          method: "POST",
          headers: { "Content-Type": "application/json", "X-Api-Key": process.env.API_KEY },
          body: JSON.stringify({ email, password }),
        });
        if (!response.ok) return null;
        const tokens = await response.json();
        const me = await fetch(`${API}/me`, { headers: { Authorization: `Bearer ${tokens.accessToken}` } });
        if (!me.ok) return null;
        const profile = await me.json();
        return { id: String(profile.id), name: `${profile.firstName} ${profile.lastName}`, email, profile, tokens };
      },
    }),
  ],
  callbacks: {
    async jwt({ token, user }) {
      if (user) {
        return {
          ...token,
          profile: user.profile,
          accessToken: user.tokens.accessToken,
          refreshToken: user.tokens.refreshToken,
          expiresAt: Date.now() + user.tokens.expiresIn * 1000,
        };
      }
      if (Date.now() < token.expiresAt) return token;
      const response = await fetch(`${API}/refresh`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ refreshToken: token.refreshToken }),
      });
      if (!response.ok) return { ...token, error: "RefreshTokenError" };
      const renewed = await response.json();
      return {
        ...token,
        accessToken: renewed.accessToken,
        refreshToken: renewed.refreshToken,
        expiresAt: Date.now() + renewed.expiresIn * 1000,
      };
    },
    session({ session, token }) {
      session.user.id = token.sub;
      session.user.profile = token.profile;
      session.accessToken = token.accessToken;
      session.error = token.error;
      return session;
    },
    authorized({ auth, request }) {
      if (request.nextUrl.pathname.startsWith("/admin")) return auth?.user?.profile.isAdmin === true;
      return !!auth;
    },
  },
});
