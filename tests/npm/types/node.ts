// Node.js alone, and options that must not compile.
import { createServer } from "node:http";
import { user, verifyAssertion } from "@vestibule-auth/edge/server";

createServer(async (request, response) => {
  const current = await user(request, { issuer: "https://app.example.com/auth", audience: "a" });
  response.end(current?.account ?? "");
});

// @ts-expect-error: without an audience an assertion for another server would do
void user(new Request("https://a.example"), { issuer: "https://app.example.com/auth" });
// @ts-expect-error: plain header fields need `trustNetwork: true`
void user(new Request("https://a.example"), { headers: { sub: "X-User" } });
// @ts-expect-error: and name the user
void user(new Request("https://a.example"), { trustNetwork: true, headers: { email: "X-User-Email" } });
// @ts-expect-error: no plain header field is an assertion
void verifyAssertion(new Request("https://a.example"), { trustNetwork: true, headers: { sub: "X-User" } });
