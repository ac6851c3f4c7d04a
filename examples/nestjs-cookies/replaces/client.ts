// What the pages of this example need no more: their own form, and the refresh after a 401. It is not run.
let renewing: Promise<boolean> | undefined;

export async function login(email: string, password: string): Promise<boolean> {
  const response = await fetch("/api/auth/login", {
    method: "POST",
    credentials: "include",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  return response.ok;
}

export async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const answer = await fetch(path, { ...init, credentials: "include" });
  if (answer.status !== 401) return answer;
  if (await renew()) return fetch(path, { ...init, credentials: "include" });
  location.href = "/login?next=" + encodeURIComponent(location.href);
  return answer;
}

// One tab asks once. Several tabs use one refresh token several times, and end the login.
function renew(): Promise<boolean> {
  renewing ??= fetch("/api/auth/refresh", { method: "POST", credentials: "include" })
    .then((response) => response.ok)
    .finally(() => {
      renewing = undefined;
    });
  return renewing;
}

export async function guard(admin = false): Promise<void> {
  const answer = await call("/api/users/me");
  const user = answer.ok ? await answer.json() : undefined;
  if (admin && !user?.isAdmin) location.href = "/";
}
