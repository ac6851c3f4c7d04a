// Remix 2, and React Router 8, which is Remix 3's way.
import { json, type LoaderFunctionArgs } from "@remix-run/server-runtime";
import type { LoaderFunctionArgs as RouterArgs } from "react-router";
import { data } from "react-router";
import { user } from "@vestibule-auth/edge/server";

const options = { issuer: "https://app.example.com/auth", audience: "https://backend.example.net" };

export async function loader({ request }: LoaderFunctionArgs) {
  const current = await user<{ plan: string }>(request, options);
  return json({ plan: current?.claims.plan ?? "free" });
}

export async function routerLoader({ request }: RouterArgs) {
  const current = await user<{ plan: string }>(request, options);
  if (current === null) throw data("sign in first", { status: 401 });
  return { name: current.name };
}
