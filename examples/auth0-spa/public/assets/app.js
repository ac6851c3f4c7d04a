// The whole application: two pages, drawn by a script. It has no token, and no library for signing in.

const main = document.querySelector("main");

/** Calls the API on the page's own origin. Without a session, signs in and comes back. */
async function call(path) {
  const answer = await fetch(path);
  if (answer.status !== 401) return answer;
  location.href = "/auth/signin?callbackUrl=" + encodeURIComponent(location.href);
  return new Promise(() => {}); // the page is leaving
}

const pages = {
  "/": () => "Everybody sees this page.",
  "/orders": async () => JSON.stringify(await (await call("/api/orders")).json()),
};

async function draw() {
  const page = pages[location.pathname] ?? (() => "There is no such page.");
  main.textContent = "…";
  const session = await (await fetch("/auth/session")).json();
  showUser(session?.user);
  main.textContent = await page();
}

function showUser(user) {
  const element = document.getElementById("user");
  element.textContent = user ? `${user.name}, id ${user.id}, ${user.roles.join(" and ")}${user.isAdmin ? ", isAdmin" : ""}. ` : "";
  const link = Object.assign(document.createElement("a"), user
    ? { href: "/auth/signout", textContent: "Sign out" }
    : { href: "/auth/signin?callbackUrl=" + encodeURIComponent(location.href), textContent: "Sign in" });
  element.append(link);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("nav a");
  if (!link) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  draw();
});
addEventListener("popstate", draw);
draw();
