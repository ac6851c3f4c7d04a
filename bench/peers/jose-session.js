// What somebody writes by hand who reads Auth.js's cookie: one key, made once, and jose.
import { jwtDecrypt } from "jose";

const COOKIE = "__Secure-authjs.session-token";
const utf8 = new TextEncoder();
let key;

async function derived(secret) {
  const material = await crypto.subtle.importKey("raw", utf8.encode(secret), "HKDF", false, ["deriveBits"]);
  const info = utf8.encode(`Auth.js Generated Encryption Key (${COOKIE})`);
  const hkdf = { name: "HKDF", hash: "SHA-256", salt: utf8.encode(COOKIE), info };
  return new Uint8Array(await crypto.subtle.deriveBits(hkdf, material, 512));
}

function cookie(request) {
  for (const pair of (request.headers.get("cookie") ?? "").split("; ")) {
    if (pair.startsWith(`${COOKIE}=`)) return pair.slice(COOKIE.length + 1);
  }
  return null;
}

export default {
  async fetch(request, env) {
    key ??= await derived(env.AUTH_SECRET);
    const token = cookie(request);
    if (token === null) return Response.json(null);
    const { payload } = await jwtDecrypt(token, key, {
      keyManagementAlgorithms: ["dir"],
      contentEncryptionAlgorithms: ["A256CBC-HS512"],
    });
    const { name, email, picture: image, exp } = payload;
    return Response.json({ user: { name, email, image }, expires: new Date(exp * 1000).toISOString() });
  },
};
