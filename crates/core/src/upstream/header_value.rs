//! A claim of the session as the value of a header field.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;
use thiserror::Error;

use vestibule_oidc::long_text;

/// How an upstream gets characters that are not ASCII.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HeaderEncoding {
    /// As their bytes in UTF-8. Some servers read them as Latin-1, and a control character cannot be sent at all.
    #[default]
    Utf8,
    /// Percent-encoded, like `%` itself, spaces and control characters: `decodeURIComponent` reads such a value.
    Percent,
}

/// The value of a field, as far as there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderValue {
    /// What is sent. `None` for a claim that is `null` or empty, and for one that cannot be sent.
    pub text: Option<String>,
    /// Why the claim, or a part of it, is not sent.
    pub left_out: Option<HeaderValueError>,
}

/// Why a claim, or a part of it, cannot be the value of a header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum HeaderValueError {
    /// The claim is an object.
    #[error("the claim is an object: write the path of a value in it")]
    Object,
    /// The claim is a list, and some of its members are lists or objects.
    #[error("members of the list that are lists or objects are left out: use the assertion, which is JSON")]
    Nested,
    /// The text has control characters, which no field may contain (RFC 9110 section 5.5).
    #[error(
        "the text has control characters, which no header field may contain: write header_encoding = \"percent\""
    )]
    Control,
    /// The text has characters that the value of a cookie may not have (RFC 6265 section 4.1.1).
    #[error("the value has a space, a comma or another character that no cookie may have")]
    NotCookie,
}

impl HeaderEncoding {
    /// The value for a claim: a string unchanged, a number or boolean as in JSON, a list as its members separated by
    /// commas. In a member, `%`, a comma and control characters are percent-encoded, so that splitting at commas and
    /// decoding each part gives the members.
    pub fn value(self, claim: &Value) -> HeaderValue {
        let (text, left_out) = match claim {
            Value::Array(members) => {
                let texts = members.iter().filter_map(scalar).filter(|text| !text.is_empty());
                let texts: Vec<String> = texts.map(|text| self.member(&text)).collect();
                let is_nested = members.iter().any(|member| member.is_array() || member.is_object());
                (texts.join(","), is_nested.then_some(HeaderValueError::Nested))
            }
            Value::Object(_) => (String::new(), Some(HeaderValueError::Object)),
            claim => self.text(scalar(claim).unwrap_or_default()),
        };
        HeaderValue { text: Some(text).filter(|text| !text.is_empty()), left_out }
    }

    fn text(self, text: Cow<'_, str>) -> (String, Option<HeaderValueError>) {
        match self {
            Self::Utf8 if has_control(&text) => (String::new(), Some(HeaderValueError::Control)),
            Self::Utf8 => (text.into_owned(), None),
            Self::Percent => (percent_encoded(&text, |c| !c.is_ascii_graphic() || c == '%'), None),
        }
    }

    fn member(self, text: &str) -> String {
        percent_encoded(text, |c| match self {
            Self::Utf8 => c.is_control() || matches!(c, ',' | '%'),
            Self::Percent => !c.is_ascii_graphic() || matches!(c, ',' | '%'),
        })
    }
}

/// Whether a value contains a control character. A token is long, is searched with every request, and has none.
pub(crate) fn has_control(value: &str) -> bool {
    !long_text::is_printable_ascii(value) && value.contains(char::is_control)
}

fn scalar(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(text.into()),
        Value::Number(number) => Some(number.to_string().into()),
        Value::Bool(flag) => Some(flag.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn percent_encoded(text: &str, is_encoded: impl Fn(char) -> bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if !is_encoded(c) {
            encoded.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // A `String` takes everything.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use vestibule_oidc::http::percent;

    fn value(encoding: HeaderEncoding, claim: &Value) -> (Option<String>, Option<HeaderValueError>) {
        let HeaderValue { text, left_out } = encoding.value(claim);
        (text, left_out)
    }

    #[test]
    fn claims_become_header_values() {
        use HeaderValueError::{Control, Nested, Object};
        for (claim, utf8, percent, left_out) in [
            (json!("a,b 100%"), Some("a,b 100%"), Some("a,b%20100%25"), None),
            (json!("Zoë"), Some("Zoë"), Some("Zo%C3%AB"), None),
            (json!(""), None, None, None),
            (json!(7), Some("7"), Some("7"), None),
            (json!(true), Some("true"), Some("true"), None),
            (json!(null), None, None, None),
            (json!({"a": 1}), None, None, Some(Object)),
            (json!(["a", 1, false]), Some("a,1,false"), Some("a,1,false"), None),
            (json!(["a,admin", "b", "", null]), Some("a%2Cadmin,b"), Some("a%2Cadmin,b"), None),
            (json!(["50%", "a\nb"]), Some("50%25,a%0Ab"), Some("50%25,a%0Ab"), None),
            (json!(["b", ["c"], {"d": 1}]), Some("b"), Some("b"), Some(Nested)),
            (json!([]), None, None, None),
        ] {
            let expect = |text: Option<&str>| (text.map(str::to_owned), left_out);
            assert_eq!(value(HeaderEncoding::Utf8, &claim), expect(utf8), "{claim}");
            assert_eq!(value(HeaderEncoding::Percent, &claim), expect(percent), "{claim}");
        }
        for text in ["a\nb", "a\r\nx-user-roles: admin", "a\0", "a\u{85}b"] {
            assert_eq!(value(HeaderEncoding::Utf8, &json!(text)), (None, Some(Control)), "{text:?}");
            let (sent, left_out) = value(HeaderEncoding::Percent, &json!(text));
            assert_eq!((percent::decode(&sent.unwrap()).as_deref(), left_out), (Some(text), None));
        }
    }

    #[test]
    fn header_smuggling_no_member_of_a_list_becomes_two() {
        let members = ["a,admin", "50%2C", "%", "Zoë, é", "x\ny", "plain"];
        for encoding in [HeaderEncoding::Utf8, HeaderEncoding::Percent] {
            let sent = encoding.value(&json!(members)).text.unwrap();
            let read: Vec<String> = sent.split(',').map(|part| percent::decode(part).unwrap()).collect();
            assert_eq!(read, members, "{sent}");
        }
    }
}
