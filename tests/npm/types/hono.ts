// Hono 4.
import { Hono } from "hono";
import { honoUser, user, type User } from "@vestibule-auth/edge/server";

interface Claims {
  roles: string[];
}

const options = { issuer: "https://app.example.com/auth", audience: "https://backend.example.net" };
const app = new Hono<{ Variables: { user: User<Claims> | null } }>();

app.use(honoUser<Claims>({ ...options, required: true }));

app.get("/", async (c) => {
  const current = c.get("user");
  const roles: string[] | undefined = current?.claims.roles;
  const again = await user(c.req.raw, options);
  return c.json({ roles, email: again?.email });
});

export default app;
