// The Worker of the harness's own tests. The first segment of the path selects an action.
export class Counter {
  constructor(state) {
    this.sql = state.storage.sql;
    this.sql.exec("CREATE TABLE IF NOT EXISTS hits (n)");
  }
  async fetch() {
    this.sql.exec("INSERT INTO hits VALUES (1)");
    return new Response(String(this.sql.exec("SELECT count(*) AS n FROM hits").one().n));
  }
}

let count = 0;

async function tried(work) {
  try {
    return { ok: (await work()) ?? null };
  } catch (error) {
    return { error: String(error) };
  }
}

const actions = {
  async echo(request, env) {
    return Response.json({
      url: request.url,
      method: request.method,
      headers: [...request.headers],
      body: await request.text(),
      cf: request.cf ?? null,
      vars: { TEXT: env.TEXT, TABLE: env.TABLE, SECRET: env.SECRET },
    });
  },
  async fetch(request, env, url) {
    const init = { method: request.method, headers: { "x-from": "worker" }, redirect: "manual" };
    if (request.method === "POST") init.body = request.body;
    try {
      return await fetch(url.searchParams.get("url"), init);
    } catch (error) {
      return new Response(String(error), { status: 599 });
    }
  },
  async impatient(request, env, url) {
    return Response.json(await tried(() => fetch(url.searchParams.get("url"), { signal: AbortSignal.timeout(100) }).then(r => r.text())));
  },
  async service(request, env, url) {
    return env[url.searchParams.get("name")].fetch(new Request("https://app.example.com/inner?x=%2f", request));
  },
  async kv(request, env, url) {
    const { op, key, value, options } = await request.json();
    return Response.json(await tried(async () => {
      const result = await env.KV[op](...[key, value, options].filter(a => a !== undefined && a !== null));
      return result instanceof Map ? Object.fromEntries(result) : result;
    }));
  },
  async object(request, env) {
    return env.OBJECT.get(env.OBJECT.idFromName("one")).fetch(request);
  },
  async count() {
    return new Response(String(++count));
  },
  async limited(request, env, url) {
    return Response.json([env.LIMIT.constructor.name, (await env.LIMIT.limit({ key: url.searchParams.get("key") })).success]);
  },
  async socket(request) {
    return fetch("https://socket.example/live", request);
  },
  async later(request, env, url, ctx) {
    ctx.waitUntil((async () => {
      await scheduler.wait(20);
      await env.KV.put("later", "done");
      await fetch("https://idp.example/later");
    })());
    return new Response("soon");
  },
  async log() {
    console.log("plain %s", "text");
    console.log(JSON.stringify({ event: "signed-in" }));
    console.error("two\nlines");
    return new Response("logged");
  },
  async stream(request, env, url) {
    return fetch("https://slow.example/stream");
  },
  async throw() {
    throw new Error("boom");
  },
  async cookies(request) {
    const headers = new Headers({ location: "https://other.example.com/echo" });
    headers.append("set-cookie", "shared=1; Domain=example.com; Path=/; Secure; HttpOnly");
    headers.append("set-cookie", "own=2; Path=/; Secure");
    return new Response(null, { status: 302, headers });
  },
  async redirect(request, env, url) {
    return Response.redirect(url.searchParams.get("to"), 302);
  },
};

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    const action = actions[url.pathname.split("/")[1]];
    return action ? action(request, env, url, ctx) : new Response("no such action", { status: 404 });
  },
};
