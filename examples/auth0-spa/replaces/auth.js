// What this example needs no more: auth0-spa-js, with tokens where scripts can read them. It is not run.
import { createAuth0Client } from "@auth0/auth0-spa-js";

const auth0 = await createAuth0Client({
  domain: "example.eu.auth0.com",
  clientId: "CLIENT_ID",
  cacheLocation: "localstorage",
  useRefreshTokens: true,
  authorizationParams: {
    audience: "https://api.example.com",
    scope: "openid profile email offline_access",
    redirect_uri: `${location.origin}/callback`,
  },
});

export async function start() {
  if (location.pathname === "/callback") {
    try {
      const { appState } = await auth0.handleRedirectCallback();
      history.replaceState(null, "", appState?.target ?? "/");
    } catch {
      history.replaceState(null, "", "/");
    }
  }
  const user = await auth0.getUser();
  return user && { ...user, roles: user["https://example.com/roles"] };
}

export async function signIn() {
  await auth0.loginWithRedirect({ appState: { target: location.pathname + location.search } });
}

export async function signOut() {
  await auth0.logout({ logoutParams: { returnTo: location.origin } });
}

export async function call(path, init = {}) {
  let token;
  try {
    token = await auth0.getTokenSilently();
  } catch (error) {
    if (!["login_required", "invalid_grant", "missing_refresh_token"].includes(error.error)) throw error;
    await signIn();
    return new Promise(() => {});
  }
  const headers = { ...init.headers, Authorization: `Bearer ${token}` };
  return fetch(`https://api.example.com${path}`, { ...init, headers });
}
