export { verifyAssertion } from "./assertion.js";
export { VerificationError } from "./errors.js";
export { expressUser, honoUser } from "./middleware.js";
export { user } from "./user.js";
export { TokenError, fetchToken } from "../types/session.js";
