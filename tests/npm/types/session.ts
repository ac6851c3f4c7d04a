// A typed session by one declaration, without module augmentation.
import { TokenError, fetchToken, getSession, type Session } from "@vestibule-auth/edge/session";

type MySession = Session<{ roles: string[] }, { access_token: string }>;

export async function roles(): Promise<string[]> {
  const session = await getSession<MySession>();
  const token: string | undefined = session?.access_token;
  const name: string | undefined = session?.user.name;
  const error: "RefreshTokenError" | "AccessTokenExpired" | undefined = session?.error;
  void [token, name, error];
  // @ts-expect-error: the session may be absent
  session.user;
  // @ts-expect-error: nobody declared it
  void session?.user.plan;
  return session?.user.roles ?? [];
}

export async function orders(): Promise<Response> {
  try {
    const { accessToken, expiresAt } = await fetchToken();
    void (expiresAt satisfies Date | null);
    return await fetch("https://api.example.com/orders", { headers: { authorization: `Bearer ${accessToken}` } });
  } catch (error) {
    if (error instanceof TokenError && error.signInUrl !== undefined) location.href = error.signInUrl;
    throw error;
  }
}
