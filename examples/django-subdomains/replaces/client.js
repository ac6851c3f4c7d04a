// What the apps of this example need no more: the tokens of Simple JWT in each app's own storage. It is not run.
const API = "https://api.example.com/api";
let renewing;

export async function signIn(username, password) {
  const response = await post("/token/", { username, password });
  if (!response.ok) return false;
  keep(await response.json());
  return true;
}

export async function call(path, init = {}) {
  if (secondsLeft() < 60 && !(await renew())) return leave();
  const headers = { ...init.headers, Authorization: `Bearer ${localStorage.getItem("access")}` };
  const answer = await fetch(`${API}${path}`, { ...init, headers });
  return answer.status === 401 ? leave() : answer;
}

export function user() {
  const token = localStorage.getItem("access");
  return token ? JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))) : null;
}

export function guard(role) {
  if (!user()) leave();
  else if (role && !user().roles.includes(role)) document.body.textContent = "No access";
}

export function signOut() {
  localStorage.removeItem("access");
  localStorage.removeItem("refresh");
  leave();
}

function renew() {
  renewing ??= (async () => {
    const response = await post("/token/refresh/", { refresh: localStorage.getItem("refresh") });
    if (response.ok) keep(await response.json());
    return response.ok;
  })().finally(() => (renewing = undefined));
  return renewing;
}

function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return fetch(`${API}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
}

function keep({ access, refresh }) {
  localStorage.setItem("access", access);
  if (refresh) localStorage.setItem("refresh", refresh);
}

function secondsLeft() {
  return (user()?.exp ?? 0) - Date.now() / 1000;
}

function leave() {
  location.href = "/login?next=" + encodeURIComponent(location.href);
  return new Promise(() => {});
}
