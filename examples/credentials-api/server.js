// An API that issues JWTs for an e-mail address and a password, and the pages that use it. It knows nothing of Vestibule.
//
// PORT                  the port (9401)
// API_KEY               what a client has to send in X-Api-Key with a login
// ACCESS_TOKEN_SECONDS  how long an access token is valid (900)
import { randomUUID } from "node:crypto";

import express from "express";
import { jwtVerify, SignJWT } from "jose";

const KEY = new TextEncoder().encode(process.env.JWT_SECRET ?? "development-only, never deploy this secret");
const API_KEY = process.env.API_KEY ?? "development-only-api-key";
const SECONDS = Number(process.env.ACCESS_TOKEN_SECONDS ?? 900);

const USERS = [
  { id: 7, firstName: "Alice", lastName: "Example", email: "alice@example.com", password: "alice", plan: "pro", isAdmin: true },
  { id: 8, firstName: "Bob", lastName: "Example", email: "bob@example.com", password: "bob", plan: "free", isAdmin: false },
];

/** Refresh tokens that have not been used yet, each with its user and the number of refreshes before it. */
const refreshTokens = new Map();

const app = express();
app.use(express.json());
app.use(express.static("public", { extensions: ["html"] }));

app.post("/sign-in", async (request, response) => {
  if (request.get("X-Api-Key") !== API_KEY) return response.status(500).json({ error: "api_key" });
  const { email, password } = request.body;
  const user = USERS.find((user) => user.email === email && user.password === password);
  if (!user) return response.status(401).json({ error: "invalid_credentials" });
  response.json(await tokens(user, 0));
});

app.post("/refresh", async (request, response) => {
  const { refreshToken } = request.body;
  const found = refreshTokens.get(refreshToken);
  if (!found) return response.status(401).json({ error: "invalid_token" });
  refreshTokens.delete(refreshToken);
  response.json(await tokens(found.user, found.generation + 1));
});

app.get("/me", signedIn, (request, response) => {
  const { password: _, ...profile } = USERS.find(({ id }) => String(id) === request.token.sub);
  response.json(profile);
});

// The orders, and what the API saw of the request.
app.get("/api/orders", signedIn, (request, response) => {
  const { sub, generation } = request.token;
  response.json({ orders: [`order of ${sub}`], generation, email: request.get("X-User-Email"), cookie: request.get("Cookie") });
});

app.listen(Number(process.env.PORT ?? 9401), "localhost");

async function tokens(user, generation) {
  const refreshToken = randomUUID();
  refreshTokens.set(refreshToken, { user, generation });
  const token = new SignJWT({ generation }).setSubject(String(user.id)).setProtectedHeader({ alg: "HS256" });
  const accessToken = await token.setIssuedAt().setExpirationTime(`${SECONDS} s`).sign(KEY);
  return { accessToken, refreshToken, expiresIn: SECONDS };
}

async function signedIn(request, response, next) {
  const bearer = request.get("Authorization")?.replace("Bearer ", "") ?? "";
  const verified = await jwtVerify(bearer, KEY).catch(() => null);
  if (!verified) return response.status(401).json({ error: "invalid_token" });
  request.token = verified.payload;
  next();
}
