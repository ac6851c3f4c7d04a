// What any Worker has to do that guards what is behind it, and nothing else: it looks at every field, since any may
// claim to be one of its own, and changes some. It decides nothing.
const TOKEN = `Bearer ${"t".repeat(1100)}`;

export default {
  fetch(request, env) {
    const refused = [];
    const headers = new Headers(request.headers);
    headers.forEach((_, name) => {
      if (name === "cookie" || name.startsWith("x-forwarded-")) refused.push(name);
    });
    for (const name of refused) headers.delete(name);
    headers.set("x-forwarded-host", "app.example.com");
    headers.set("x-forwarded-proto", "https");
    headers.set("authorization", TOKEN);
    return env.APP.fetch(request, { headers, redirect: "manual" });
  },
};
