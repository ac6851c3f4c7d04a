//! Signing out at the provider (OpenID Connect RP-Initiated Logout 1.0).
//!
//! The specification recommends the ID token as a hint (section 2), and providers ask the user again, or do not come back,
//! without it. It then is in a URL, which browsers keep in their history and servers in their logs. What remains of that:
//! an ID token proves a sign-in to this client only, once, with a nonce that is used up; it gives no access. Its claims
//! about the user can be read.

use crate::http::url::Url;
use crate::oauth::provider::LogoutConfig;
use crate::secret::Secret;

/// A logout request (section 2).
#[derive(Clone, Copy, Debug)]
pub struct LogoutRequest<'a> {
    /// The client at this provider.
    pub client_id: &'a str,
    /// `post_logout_redirect_uri`: where the provider sends the browser then. It has to be registered there.
    pub return_to: &'a str,
    /// What the provider returns with the browser.
    pub state: Option<&'a Secret>,
    /// Whose session is to end.
    pub hint: Option<LogoutHint<'a>>,
}

/// Whose session is to end at the provider.
#[derive(Clone, Copy, Debug)]
pub enum LogoutHint<'a> {
    /// `id_token_hint`: an ID token that the provider issued to this client.
    IdToken(&'a Secret),
    /// `logout_hint`: an identifier that the provider knows the user by.
    User(&'a str),
}

/// The URL that ends the provider's own session: its `endpoint`, whose query is kept, with the parameters of the request.
pub fn url(endpoint: &Url, config: &LogoutConfig, request: &LogoutRequest<'_>) -> String {
    let mut parameters =
        vec![("client_id", request.client_id), (config.redirect_param.as_str(), request.return_to)];
    match request.hint {
        Some(LogoutHint::IdToken(token)) => parameters.push(("id_token_hint", token.expose())),
        Some(LogoutHint::User(user)) => parameters.push(("logout_hint", user)),
        None => {}
    }
    parameters.extend(request.state.map(|state| ("state", state.expose())));
    let kept = endpoint.query_without(&|name| parameters.iter().any(|(parameter, _)| *parameter == name));
    let mut query = form_urlencoded::Serializer::new(kept);
    query.extend_pairs(parameters);
    endpoint.with_query(&query.finish()).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(redirect_param: &str) -> LogoutConfig {
        LogoutConfig {
            endpoint: None,
            redirect_param: redirect_param.to_owned(),
            hint_claim: "sub".to_owned(),
        }
    }

    #[test]
    fn the_endpoints_query_is_kept_without_duplicate_parameters() {
        let endpoint = Url::parse("https://idp.example/logout?tenant=a&client_id=x&state=y").unwrap();
        let state = Secret::new("s");
        let token = Secret::new("a.b.c");
        let mut request = LogoutRequest {
            client_id: "b&c",
            return_to: "https://app.example.com/?d=e",
            state: Some(&state),
            hint: Some(LogoutHint::IdToken(&token)),
        };
        assert_eq!(
            url(&endpoint, &config("post_logout_redirect_uri"), &request),
            "https://idp.example/logout?tenant=a&client_id=b%26c\
             &post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2F%3Fd%3De&id_token_hint=a.b.c&state=s"
        );
        let plain = Url::parse("https://idp.example/logout").unwrap();
        request = LogoutRequest { hint: Some(LogoutHint::User("bob@example.com")), state: None, ..request };
        assert_eq!(
            url(&plain, &config("returnTo"), &request),
            "https://idp.example/logout?client_id=b%26c&returnTo=https%3A%2F%2Fapp.example.com%2F%3Fd%3De\
             &logout_hint=bob%40example.com"
        );
    }
}
