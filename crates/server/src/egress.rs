//! A gateway that all outgoing requests pass, in networks where nothing else reaches the internet.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Request, Uri};
use thiserror::Error;

use crate::target::Server;
use vestibule_core::http::egress;

/// The field with the origin that a request is for.
pub(crate) const ORIGIN: HeaderName = HeaderName::from_static(egress::ORIGIN);

/// The gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Egress(Server);

/// Why an address is not that of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum EgressError {
    #[error("--egress: {0:?} is not an origin such as https://egress.internal:8443")]
    Malformed(String),
    #[error(
        "--egress: {0:?} would get secrets in plain http over the network; write https, or a gateway on this machine such as \
         http://127.0.0.1:3128"
    )]
    Exposed(String),
}

impl Egress {
    /// Reads the gateway's origin.
    pub(crate) fn parse(text: &str) -> Result<Self, EgressError> {
        let server = Server::parse(text).ok_or_else(|| EgressError::Malformed(text.to_owned()))?;
        if egress::may_be_asked(server.is_secure(), server.host()) {
            Ok(Self(server))
        } else {
            Err(EgressError::Exposed(text.to_owned()))
        }
    }

    /// Sends a request to the gateway instead of the server in its URI.
    pub(crate) fn redirect<B>(&self, request: &mut Request<B>) -> Result<(), hyper::http::Error> {
        let meant = request.uri().clone().into_parts();
        let (Some(scheme), Some(authority)) = (meant.scheme, meant.authority) else { return Ok(()) };
        let origin = HeaderValue::try_from(format!("{scheme}://{authority}"))?;
        let path = meant.path_and_query.as_ref().map_or("/", |path| path.as_str());
        let uri: Uri = self.0.at(path)?;
        *request.uri_mut() = uri;
        request.headers_mut().insert(ORIGIN, origin);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_is_reached_by_https_or_on_this_machine() {
        for url in
            ["https://egress.internal", "https://10.0.0.1:8443", "http://127.0.0.1:1", "http://[::1]:1"]
        {
            assert!(Egress::parse(url).is_ok(), "{url}");
        }
        for url in ["http://egress.internal", "http://10.0.0.1:3128", "http://localhost.evil.example"] {
            assert_eq!(Egress::parse(url), Err(EgressError::Exposed(url.to_owned())));
        }
        for url in
            ["", "egress.internal", "ftp://127.0.0.1", "https://u:p@egress.internal", "http://127.0.0.1/x"]
        {
            assert_eq!(Egress::parse(url), Err(EgressError::Malformed(url.to_owned())));
        }
    }

    #[test]
    fn a_request_says_for_which_origin_it_is_whatever_it_said_before() {
        let egress = Egress::parse("http://127.0.0.1:3128").unwrap();
        let mut request = Request::builder()
            .uri("https://idp.example:8443/token?a=b")
            .header(ORIGIN, "https://evil.example")
            .body(())
            .unwrap();
        egress.redirect(&mut request).unwrap();
        assert_eq!(request.uri(), "http://127.0.0.1:3128/token?a=b");
        assert_eq!(
            request.headers().get_all(ORIGIN).iter().collect::<Vec<_>>(),
            ["https://idp.example:8443"]
        );
    }
}
