//! What an upstream gets in a header field or a cookie: a claim, or a text with claims and secrets in it.

use std::fmt;

use serde_json::Value;

use crate::upstream::header_value::{HeaderEncoding, HeaderValue, HeaderValueError};
use vestibule_oidc::data::{DataPath, Template};

/// A value for an upstream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpstreamValue {
    /// The claim at this path of the session.
    Claim(DataPath),
    /// A text whose placeholders are paths of the session, and secrets.
    Text(Template),
}

impl UpstreamValue {
    /// The value of a template. A template that is exactly one placeholder is the claim itself.
    pub fn of_template(template: Template) -> Self {
        match template.as_path() {
            Some(path) => Self::Claim(path.clone()),
            None => Self::Text(template),
        }
    }

    /// The paths of the session's claims in it.
    pub fn paths(&self) -> Vec<&DataPath> {
        match self {
            Self::Claim(path) => vec![path],
            Self::Text(template) => template.paths().collect(),
        }
    }

    /// The path, if the value is one claim and nothing else.
    pub fn as_claim(&self) -> Option<&DataPath> {
        match self {
            Self::Claim(path) => Some(path),
            Self::Text(_) => None,
        }
    }

    /// Whether it differs from session to session. Otherwise it has secrets only, and is sent with every request.
    pub fn is_of_session(&self) -> bool {
        !self.paths().is_empty()
    }

    /// Whether it has a secret of the operator in it.
    pub fn has_secret(&self) -> bool {
        matches!(self, Self::Text(template) if template.has_secret())
    }

    /// The value of a header field. A text of which one claim is missing is not sent at all.
    pub fn header<'c>(
        &self,
        encoding: HeaderEncoding,
        find: &dyn Fn(&DataPath) -> Option<&'c Value>,
    ) -> HeaderValue {
        let template = match self {
            Self::Claim(path) => return find(path).map(|claim| encoding.value(claim)).unwrap_or_default(),
            Self::Text(template) => template,
        };
        let mut left_out = None;
        let text = template.whole(&mut |path| {
            let value = encoding.value(find(path)?);
            left_out = left_out.or(value.left_out);
            value.text
        });
        HeaderValue { text, left_out }
    }

    /// The value of a cookie, byte for byte: never encoded, because the server that set such a cookie reads its own value.
    /// One that is not a sequence of cookie-octets (RFC 6265 section 4.1.1) is not sent: some servers would read a second
    /// cookie in it.
    pub fn cookie<'c>(&self, find: &dyn Fn(&DataPath) -> Option<&'c Value>) -> HeaderValue {
        match self.header(HeaderEncoding::Utf8, find) {
            HeaderValue { text: Some(text), .. } if !text.bytes().all(is_cookie_octet) => {
                HeaderValue { text: None, left_out: Some(HeaderValueError::NotCookie) }
            }
            value => value,
        }
    }
}

/// As the configuration has it, except that a secret is not shown.
impl fmt::Display for UpstreamValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths: Vec<String> = self.paths().into_iter().map(ToString::to_string).collect();
        f.write_str(&paths.join(", "))
    }
}

fn is_cookie_octet(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'+' | b'-'..=b':' | b'<'..=b'[' | b']'..=b'~')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use vestibule_oidc::secret::Secret;

    fn value(text: &str) -> UpstreamValue {
        let (template, unknown) = Template::parse(text, &|_| true);
        assert!(unknown.is_empty());
        let secret = |path: &DataPath| (path.root() == "secret").then(|| Secret::new("k1"));
        UpstreamValue::of_template(template.with_secrets(&mut |path| secret(path)))
    }

    #[test]
    fn a_text_is_sent_whole_or_not_at_all() {
        let claims = json!({ "token": "abc", "list": ["a,b", "c"], "none": null, "empty": "", "o": {} });
        let claims = claims.as_object().unwrap();
        let header = |text: &str| value(text).header(HeaderEncoding::Utf8, &|path| path.lookup(claims)).text;
        for (text, sent) in [
            ("JWT {token}", Some("JWT abc")),
            ("{token}", Some("abc")),
            ("{token}:{secret.K}", Some("abc:k1")),
            ("{secret.K}", Some("k1")),
            ("x {list}", Some("x a%2Cb,c")),
            ("x {none}", None),
            ("x {empty}", None),
            ("x {o}", None),
            ("x {absent}{token}", None),
        ] {
            assert_eq!(header(text).as_deref(), sent, "{text}");
        }
        assert!(value("{secret.K}").has_secret() && !value("{secret.K}").is_of_session());
        assert!(value("{token}").as_claim().is_some() && value("a{token}").as_claim().is_none());
    }

    #[test]
    fn header_smuggling_no_value_of_a_cookie_is_a_second_cookie() {
        for (claim, sent) in [
            (json!("eyJhbGciOi.eyJ-_.sig="), true),
            (json!("s%3Aabc.def"), true),
            (json!(7), true),
            (json!("a; access_token=evil"), false),
            (json!("a, b=evil"), false),
            (json!("a b=evil"), false),
            (json!("\"a"), false),
            (json!("a\\"), false),
            (json!("ä"), false),
            (json!("a\r\nb"), false),
            (json!(["a", "b"]), false),
            (json!(null), false),
        ] {
            let cookie = value("{c}").cookie(&|_| Some(&claim));
            assert_eq!(cookie.text.is_some(), sent, "{claim}");
        }
    }
}
