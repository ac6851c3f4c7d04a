import { VerificationError } from "./errors.js";
import { user } from "./user.js";

/**
 * Middleware for Express and Connect: `res.locals.user` is the user, or `null`. An assertion that is not valid is
 * answered here. With `required: true` so is a request without a user.
 */
export function expressUser(options) {
  return async (request, response, next) => {
    const outcome = await identified(request, options);
    if (outcome.failure !== undefined) return next(outcome.failure);
    if (outcome.answer === undefined) {
      response.locals ??= {};
      response.locals.user = outcome.user;
      return next();
    }
    const { status, body, headers } = outcome.answer;
    response.statusCode = status;
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    response.end(body);
  };
}

/** Middleware for Hono: `c.get("user")` is the user, or `null`. The same otherwise. */
export function honoUser(options) {
  return async (context, next) => {
    const outcome = await identified(context.req.raw, options);
    if (outcome.failure !== undefined) throw outcome.failure;
    if (outcome.answer !== undefined) {
      const { status, body, headers } = outcome.answer;
      return new Response(body, { status, headers });
    }
    context.set("user", outcome.user);
    await next();
    return undefined;
  };
}

/** The user, or the answer to a request that may not go on, or an error that is none of the request's. */
async function identified(request, options) {
  try {
    const found = await user(request, options);
    if (found === null && options?.required === true) return { answer: answer(401, "unauthorized") };
    return { user: found };
  } catch (error) {
    if (!(error instanceof VerificationError)) return { failure: error };
    options?.onError?.(error);
    return { answer: answer(error.status, error.status === 503 ? "temporarily_unavailable" : "unauthorized") };
  }
}

function answer(status, error) {
  const headers = { "content-type": "application/json", "cache-control": "private, no-store" };
  if (status === 503) headers["retry-after"] = "10";
  return { status, headers, body: JSON.stringify({ error }) };
}
