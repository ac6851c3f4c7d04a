//! Whether the redirect URI is registered: an authorization request that asks for nothing (`prompt=none`) and that no one
//! continues. A provider answers one with a registered address by a redirect there, or by its sign-in page, and any other
//! one by an error page (RFC 6749 section 4.1.2.1).

use std::time::Duration;

use vestibule_core::http::client::FetchRequest;
use vestibule_core::http::form::Params;
use vestibule_core::http::headers::Headers;
use vestibule_core::http::request::Method;
use vestibule_core::oauth::authorize::{AttemptValues, AuthorizationRequest};
use vestibule_core::oauth::discovery::ProviderMetadata;
use vestibule_core::oauth::pkce::{Verifier, unguessable};

use super::ProviderCheck;
use super::wire::{Answer, Received, excerpt};

/// A provider's page is seldom that large.
const LIMIT: usize = 512 * 1024;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The errors with which a provider answers at a registered address: no one is signed in, and nothing may be asked.
const EXPECTED: [&str; 6] = [
    "login_required",
    "interaction_required",
    "consent_required",
    "account_selection_required",
    "access_denied",
    "temporarily_unavailable",
];

/// What the error pages of providers say about an address that is not registered, in lower case.
const MISMATCH: [&str; 12] = [
    "redirect_uri_mismatch",
    "aadsts50011",
    "aadsts500113",
    "invalid_redirect_uri",
    "invalid redirect_uri",
    "invalid redirect uri",
    "invalid parameter: redirect_uri",
    "redirect_uri is not",
    "redirect_uri did not match",
    "redirect uri is not",
    "callback url mismatch",
    "mismatching redirect",
];

/// What they say about a client that is not known, in lower case.
const UNKNOWN_CLIENT: [&str; 6] = [
    "invalid_client",
    "client not found",
    "unknown client",
    "aadsts700016",
    "client_not_found",
    "invalid client_id",
];

/// What an answer says about the redirect URI.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// The provider accepts it, as far as can be told.
    Accepted,
    /// It is not registered.
    NotRegistered,
    /// The client is not known.
    UnknownClient,
    /// The provider sent an error to the redirect URI.
    Error(String),
    /// The provider shows an error page.
    ErrorPage(u16),
    /// The provider cannot answer now.
    Unavailable(u16),
}

impl ProviderCheck<'_, '_> {
    /// Tries the redirect URI of a host.
    pub(super) fn redirect_uri(&mut self, metadata: &ProviderMetadata, site: &str) {
        let redirect_uri = format!("{site}{}/callback/{}", self.context.config.base_path, self.provider.id);
        let authorization = &self.oauth.authorization;
        let requests = metadata.requests();
        let is_hidden = authorization.pushed.when.applies(requests.require_pushed_authorization_requests)
            || authorization.request_object.applies(requests.require_signed_request_object);
        if is_hidden {
            let problem = "its authorization requests are pushed or signed, so whether it accepts the redirect URI was not tried";
            return self.advise("", problem, format!("register {redirect_uri}"));
        }
        if !self.knows("ID") {
            let problem =
                format!("{} is not known here, so the redirect URI was not tried", self.variable("ID"));
            return self.advise("id", problem, format!("register {redirect_uri}"));
        }
        let request = self.request(metadata, &redirect_uri);
        let id = self.id(&format!("redirect URI {redirect_uri}"));
        let Some(answer) = self.context.fetch(&id, &request) else { return };
        let received = match answer {
            Answer::Failed(why) => {
                let problem = format!("no answer from the authorization endpoint: {}", excerpt(why));
                return self.advise("", problem, "");
            }
            Answer::Received(received) => received,
        };
        let register = format!("register {redirect_uri} at the provider, exactly so");
        match verdict(received, &redirect_uri) {
            Verdict::Accepted => {}
            Verdict::NotRegistered => {
                self.refuse("", "the redirect URI is not registered at the provider", register);
            }
            Verdict::UnknownClient => {
                let problem = "the provider does not know the client";
                self.refuse(
                    "",
                    problem,
                    format!("check the client id, in {} or client_id", self.variable("ID")),
                );
            }
            Verdict::Error(error) => {
                let problem =
                    format!("the provider answers the authorization request with the error {error}");
                self.refuse(
                    "",
                    problem,
                    "check the client's settings at the provider: its type, grants and scopes",
                );
            }
            Verdict::ErrorPage(status) => {
                let problem = format!(
                    "the provider answers the authorization request with an error page (status {status})"
                );
                self.refuse("", problem, format!("{register}; and check the client id"));
            }
            Verdict::Unavailable(status) => {
                self.advise(
                    "",
                    format!("the authorization endpoint answers with status {status}"),
                    "try again",
                );
            }
        }
    }

    fn request(&self, metadata: &ProviderMetadata, redirect_uri: &str) -> FetchRequest {
        // No one keeps these values or continues the request.
        let fill = &mut |bytes: &mut [u8]| bytes.fill(7);
        let (verifier, state, nonce) = (Verifier::generate(fill), unguessable(fill), unguessable(fill));
        let oauth = self.oauth;
        let mut parameters = oauth.authorization.params.clone();
        parameters.retain(|(name, _)| name != "prompt");
        if oauth.openid.is_some() {
            parameters.push(("prompt".to_owned(), "none".to_owned()));
        }
        let values = AttemptValues { verifier: &verifier, state: &state, nonce: &nonce };
        let request = AuthorizationRequest::of(oauth, metadata, redirect_uri, &parameters, values);
        let mut headers = Headers::new();
        headers.set("accept", "text/html");
        headers.set("user-agent", "vestibule-check");
        FetchRequest {
            method: Method::Get,
            url: request.url(),
            headers,
            body: Vec::new(),
            timeout: TIMEOUT,
            limit: LIMIT,
        }
    }
}

fn verdict(received: &Received, redirect_uri: &str) -> Verdict {
    let status = received.status;
    match (status, received.header("location")) {
        (300..=399, Some(location)) => of_redirect(location, redirect_uri),
        (200..=299, _) if received.body.contains(redirect_uri) && posts_back(&received.body) => {
            Verdict::Accepted
        }
        // The scripts of a sign-in page may have any words; these are only in error pages that are sent as a success.
        (200..=299, _) => {
            let body = received.body.to_ascii_lowercase();
            let is_error = body.contains("aadsts") || body.contains("redirect_uri_mismatch");
            of_page(&body).filter(|_| is_error).unwrap_or(Verdict::Accepted)
        }
        (400..=499, _) if status != 429 => {
            let body = received.body.to_ascii_lowercase();
            of_page(&body).unwrap_or(Verdict::ErrorPage(status))
        }
        _ => Verdict::Unavailable(status),
    }
}

/// A redirect back with an answer, to the provider's sign-in page, or to its error page.
fn of_redirect(location: &str, redirect_uri: &str) -> Verdict {
    let parameters = |text: &str| Params::from_urlencoded(text.as_bytes());
    if let Some(rest) = location.strip_prefix(redirect_uri)
        && (rest.is_empty() || rest.starts_with(['?', '#', '&']))
    {
        let rest = rest.trim_start_matches(['?', '#', '&']);
        let parameters = parameters(rest);
        return match parameters.one("error").ok().flatten() {
            Some(error) if !EXPECTED.contains(&error) => {
                let description = parameters.one("error_description").ok().flatten();
                let description = description.map(|text| format!(": {text}")).unwrap_or_default();
                Verdict::Error(excerpt(&format!("{error}{description}")))
            }
            _ => Verdict::Accepted,
        };
    }
    let query = location.split_once('?').map_or("", |(_, query)| query);
    let decoded: Vec<String> =
        parameters(query).iter().map(|(name, value)| format!("{name}={value}")).collect();
    let text = format!("{location} {}", decoded.join(" ")).to_ascii_lowercase();
    if let Some(verdict) = of_page(&text) {
        return verdict;
    }
    let names_error = parameters(query).iter().any(|(name, _)| name == "error" || name == "authError");
    let path = location.split(['?', '#']).next().unwrap_or_default();
    if names_error || path.ends_with("/error") { Verdict::ErrorPage(302) } else { Verdict::Accepted }
}

/// What a page, or the address of one, says.
fn of_page(text: &str) -> Option<Verdict> {
    let says = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
    if says(&MISMATCH) {
        return Some(Verdict::NotRegistered);
    }
    says(&UNKNOWN_CLIENT).then_some(Verdict::UnknownClient)
}

/// Whether a page is a form that posts the answer (OAuth 2.0 Form Post Response Mode).
fn posts_back(body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    body.contains("<form") && body.contains("name=\"state\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "https://app.example.com/auth/callback/okta";

    fn verdict_of(status: u16, location: Option<&str>, body: &str) -> Verdict {
        let headers = location.map(|to| ("location".to_owned(), to.to_owned())).into_iter().collect();
        verdict(&Received { status, headers, body: body.to_owned(), at: 0 }, URI)
    }

    #[test]
    fn a_redirect_back_says_that_the_address_is_registered() {
        for error in EXPECTED {
            assert_eq!(verdict_of(302, Some(&format!("{URI}?error={error}&state=x")), ""), Verdict::Accepted);
        }
        assert_eq!(verdict_of(303, Some(&format!("{URI}?code=x")), ""), Verdict::Accepted);
        assert_eq!(
            verdict_of(
                302,
                Some(&format!("{URI}?error=invalid_scope&error_description=no+such%0Ascope")),
                ""
            ),
            Verdict::Error("invalid_scope: no such scope".to_owned())
        );
        // Another address with the same beginning.
        let other = verdict_of(302, Some(&format!("{URI}.evil.example/?error=invalid_scope")), "");
        assert_eq!(other, Verdict::ErrorPage(302));
    }

    #[test]
    fn a_sign_in_page_is_no_refusal() {
        assert_eq!(verdict_of(302, Some("/login?return=x"), ""), Verdict::Accepted);
        assert_eq!(verdict_of(302, Some("https://login.idp.example/start"), ""), Verdict::Accepted);
        assert_eq!(verdict_of(200, None, "<html>Sign in"), Verdict::Accepted);
        assert_eq!(
            verdict_of(200, None, "const texts = { invalid_client: 'Client not found' }"),
            Verdict::Accepted
        );
        let form = format!("<form action=\"{URI}\"><input name=\"error\" value=\"x\"><input name=\"state\">");
        assert_eq!(verdict_of(200, None, &form), Verdict::Accepted);
    }

    #[test]
    fn an_error_page_is_understood_in_the_words_of_many_providers() {
        for (status, location, body, expected) in [
            (400, None, "Error 400: redirect_uri_mismatch", Verdict::NotRegistered),
            (200, None, "AADSTS50011: The redirect URI specified", Verdict::NotRegistered),
            (400, None, "{\"error\":\"invalid_redirect_uri\"}", Verdict::NotRegistered),
            (400, None, "Invalid parameter: redirect_uri", Verdict::NotRegistered),
            (
                302,
                Some("https://idp.example/oops?message=Invalid%20redirect_uri"),
                "",
                Verdict::NotRegistered,
            ),
            (400, None, "Client not found", Verdict::UnknownClient),
            (401, None, "{\"error\": \"invalid_client\"}", Verdict::UnknownClient),
            (302, Some("https://idp.example/error?x=1"), "", Verdict::ErrorPage(302)),
            (302, Some("https://idp.example/e?error=server"), "", Verdict::ErrorPage(302)),
            (400, None, "Bad request", Verdict::ErrorPage(400)),
            (403, None, "", Verdict::ErrorPage(403)),
            (429, None, "", Verdict::Unavailable(429)),
            (503, None, "", Verdict::Unavailable(503)),
            (302, None, "", Verdict::Unavailable(302)),
        ] {
            assert_eq!(verdict_of(status, location, body), expected, "{status} {location:?} {body}");
        }
    }
}
