//! What a page sees of a session if it may see the session, but no token: a trusted origin that is not in
//! `token_origins`.

use crate::config::Config;
use crate::session::claims::{Session, holds_text};
use vestibule_oidc::data::DataPath;

/// The session without the claims that hold a token: by their names, by what the configuration takes them from, and by
/// their values.
pub(super) fn without_tokens(session: &Session, config: &Config) -> Session {
    let token = session.access_token().filter(|token| !token.is_empty());
    session.retaining(|name, value| {
        let source = config.claims.iter().find(|(claim, _)| claim == name).map(|(_, source)| source);
        !is_token(name)
            && !source.is_some_and(|source| source.rest().any(is_token))
            && !token.is_some_and(|token| holds_text(value, token))
    })
}

/// Whether `session.expose` shows a token, or something about it, from this place.
pub(super) fn is_from_token(from: &DataPath) -> bool {
    is_token(from.root()) || from.rest().any(is_token)
}

fn is_token(name: &str) -> bool {
    matches!(name, "expires_at" | "refresh_expires_at" | "api_cookies" | "dpop_key")
        || name.to_ascii_lowercase().contains("token")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_that_has_a_token_in_its_name_is_one_of_a_token() {
        for (from, is_token) in [
            ("access_token", true),
            ("refresh_token", true),
            ("expires_at", true),
            ("refresh_expires_at", true),
            ("dpop_key", true),
            ("api_cookies", true),
            ("backend.idToken", true),
            ("backend.session.expires_at", true),
            ("backend.session", false),
            ("email", false),
            ("expires", false),
        ] {
            assert_eq!(is_from_token(&DataPath::parse(from).unwrap()), is_token, "{from}");
        }
    }
}
