// An API of one's own in front of which Vestibule signs people in, and the application behind Vestibule. Prints its address.
//
//   POST /sign-in   {"email", "password"} of Alice: a token
//   *               what the request carries, as JSON
import { createServer } from "node:http";

const server = createServer(async (request, response) => {
  const chunks = await Array.fromAsync(request);
  const json = (status, body) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
  if (request.url === "/sign-in") {
    const { email, password } = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    if (email !== "alice@example.com" || password !== "alice") return json(401, { error: "wrong" });
    return json(200, { accessToken: "the-token-of-alice", expiresIn: 600, user: { id: "user-1", email } });
  }
  json(200, { path: request.url, headers: request.headers });
});

server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit()).resume();
