// Express 5: the middleware, and the same without it.
import express from "express";
import { VerificationError, expressUser, user, type User } from "@vestibule-auth/edge/server";

interface Claims {
  roles: string[];
}

const options = { issuer: "https://app.example.com/auth", audience: "https://backend.example.net" };
const app = express();

app.use(expressUser({ ...options, onError: (error: VerificationError) => console.warn(error.code, error.message) }));

app.get("/", (_request, response) => {
  const current: User<Claims> | null = response.locals.user;
  response.json({ hello: current?.name ?? "stranger" });
});

app.get("/admin", async (request, response) => {
  const current = await user<Claims>(request, options);
  if (current === null || !current.claims.roles?.includes("admin")) {
    response.sendStatus(403);
    return;
  }
  const sub: string = current.sub;
  response.json({ sub });
});
