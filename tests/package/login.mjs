// Your own API that Vestibule asks who signs in, and the application behind Vestibule. Prints its address.
//
//   POST /sign-in   {"email", "password"} of Alice: her tokens
//   GET /me         who the token is for
//   *               what the request carries, as JSON
import { createServer } from "node:http";

const TOKEN = "the-token-of-alice";

const server = createServer(async (request, response) => {
  const chunks = await Array.fromAsync(request);
  const json = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (request.url === "/sign-in") {
    const { email, password } = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    if (email !== "alice@example.com" || password !== "alice") return json(401, { error: "wrong" });
    return json(200, { accessToken: TOKEN, refreshToken: "to-refresh-it", expiresIn: 600 });
  }
  if (request.url === "/me") {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) return json(401, { error: "unauthorized" });
    return json(200, { id: "user-1", firstName: "Alice", lastName: "Example", email: "alice@example.com" });
  }
  json(200, { path: request.url, headers: request.headers });
});

server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
