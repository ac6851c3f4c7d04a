// SvelteKit 3: the hook that every request passes.
import type { Handle } from "@sveltejs/kit/hooks";
import { user, type User } from "@vestibule-auth/edge/server";

declare global {
  namespace App {
    interface Locals {
      user: User<{ roles: string[] }> | null;
    }
  }
}

const options = { issuer: "https://app.example.com/auth", audience: "https://backend.example.net" };

export const handle: Handle = async ({ event, resolve }) => {
  event.locals.user = await user<{ roles: string[] }>(event.request, options);
  return await resolve(event);
};
