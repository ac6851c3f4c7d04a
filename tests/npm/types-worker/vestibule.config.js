// Compiled from vestibule.toml. Change that file, and compile it again.
export default {
  "base_path": "/auth",
  "providers": [{ "id": "okta", "issuer": "https://dev-1.okta.com/oauth2/default" }],
  "rules": [{ "match": "/admin/:path*", "require": { "roles": ["admin"] } }]
};
