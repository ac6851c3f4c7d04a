//! `[[vars.AUTH.resources]]`

use super::Kind::{Bool, Text, TextOrList};
use super::{Keys, keys};

pub(in crate::config) const RESOURCE: Keys = &[keys! {
    /// The resource: a URL, and everything below it. Clients ask the provider for exactly this text (`resource`, RFC 8707), and their
    /// tokens have it as `aud`.
    resource: Text, example = "https://app.example.com/mcp",
        needs = "required; `https`, except on this machine; no query, and no slash at the end of a path";
    /// The id of the provider that issues the tokens.
    provider: Text, unset = "the only provider of `type = \"oidc\"`", example = "idp", needs = "required with several of them";
    /// What the tokens have as `aud`, for a provider that does not take `resource`: one value, or several of which one is enough. Each
    /// has 1 to 512 characters.
    audience: TextOrList, unset = "`resource`", example = "api://0f1e2d3c",
        needs = "no audience of another resource of this provider, nor of its `accept_bearer`";
    /// The scopes that clients may ask for (`scopes_supported`).
    scopes: TextOrList, unset = "those that the rules for its paths require", example = ["tools:read", "tools:write"];
    /// Its name, for people who are asked for their consent.
    name: Text, unset = "no name", example = "Acme's tools";
    /// The URL of its documentation, for developers.
    documentation: Text, unset = "no URL", example = "https://docs.example.com/mcp";
    /// The URL of a page that says what clients may do with its data.
    policy: Text, unset = "no URL", example = "https://example.com/privacy";
    /// The URL of its terms of service.
    terms: Text, unset = "no URL", example = "https://example.com/terms";
    /// Origins whose pages may call the resource with a token, and read why it was refused: clients in a browser. A request of any other
    /// page gets 403. `https://*.example.com` is every origin below `example.com`.
    origins: TextOrList, unset = "its own origin and `trusted_origins`", example = ["https://inspector.example.com"],
        needs = "an app that answers the preflight";
    /// Whether a browser's session passes, too. A request that has a token is decided by the token.
    session: Bool, default = false, example = true;
}];
