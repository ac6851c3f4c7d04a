//! Signing out at the provider (OpenID Connect RP-Initiated Logout 1.0).

use crate::http::url::Url;

/// The URL that ends the provider's own session: its `endpoint`, whose query is kept, with `client_id` and the return
/// address as the parameter `redirect_param` (section 2). The specification recommends the ID token as a hint, but it
/// is left out: tokens must not be in URLs, because URLs are logged.
pub fn url(endpoint: &Url, client_id: &str, redirect_param: &str, return_to: &str) -> String {
    let kept = endpoint.query_without(&|name| name == "client_id" || name == redirect_param);
    let mut query = form_urlencoded::Serializer::new(kept);
    query.append_pair("client_id", client_id);
    query.append_pair(redirect_param, return_to);
    endpoint.with_query(&query.finish()).as_str().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoints_query_is_kept_without_duplicate_parameters() {
        let endpoint = Url::parse("https://idp.example/logout?tenant=a&client_id=x").unwrap();
        assert_eq!(
            url(&endpoint, "b&c", "post_logout_redirect_uri", "https://app.example.com/?d=e"),
            "https://idp.example/logout?tenant=a&client_id=b%26c\
             &post_logout_redirect_uri=https%3A%2F%2Fapp.example.com%2F%3Fd%3De"
        );
        let plain = Url::parse("https://idp.example/logout").unwrap();
        assert_eq!(
            url(&plain, "b", "logout_uri", "https://app.example.com"),
            "https://idp.example/logout?client_id=b&logout_uri=https%3A%2F%2Fapp.example.com"
        );
    }
}
