import NextAuth from "next-auth";
import { redirect } from "next/navigation";

export const { auth } = NextAuth({
  providers: [],
  callbacks: {
    session({ session, token }) {
      session.user.id = token.sub;
      session.user.roles = token.roles;
      session.accessToken = token.access_token;
      return session;
    },
  },
});

export async function signIn(_provider, { redirectTo = "/" } = {}) {
  redirect(`/api/auth/signin?${new URLSearchParams({ callbackUrl: redirectTo })}`);
}

export async function signOut({ redirectTo = "/" } = {}) {
  redirect(`/api/auth/signout?${new URLSearchParams({ callbackUrl: redirectTo })}`);
}
