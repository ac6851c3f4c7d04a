// An API that accepts access tokens of an OpenID provider, and the files of a single-page application. It knows nothing of
// Vestibule.
//
// PORT    the port (9401)
// ISSUER  the provider (http://localhost:9400), in place of https://TENANT.eu.auth0.com/
import express from "express";
import { createRemoteJWKSet, jwtVerify } from "jose";

const issuer = process.env.ISSUER ?? "http://localhost:9400";
const audience = "https://api.example.com";
const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`)); // Auth0: .well-known/jwks.json

const app = express();

// The orders, and what the API saw of the request.
app.get("/api/orders", async (request, response) => {
  const token = request.get("Authorization")?.replace("Bearer ", "") ?? "";
  const verified = await jwtVerify(token, keys, { issuer, audience }).catch((error) => ({ error }));
  if (verified.error) return response.status(401).json({ error: verified.error.code });
  const { sub, aud, jti } = verified.payload;
  response.json({ orders: [`order of ${sub}`], audience: aud, token: jti, cookie: request.get("Cookie") });
});

// A single-page application has one page for every address.
app.use(express.static("public"));
app.use((_request, response) => response.sendFile("index.html", { root: "public" }));

app.listen(Number(process.env.PORT ?? 9401), "localhost");
