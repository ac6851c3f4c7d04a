//! The conditions `has` and `missing`, which a rule checks in addition to the path.
//!
//! The client controls everything that they check. If a value occurs several times, it is enough that one of them
//! matches: an upstream may use any of them.

use std::fmt;

use crate::guard::budget::Budget;
use crate::guard::regexp::{self, Node, Program, RegexpError, RegexpProblem};
use vestibule_oidc::http::cookie;
use vestibule_oidc::http::request::Request;

/// The maximum length of an expression in bytes.
const MAX_LENGTH: usize = 1024;

/// A condition that a request may meet.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Where the value comes from.
    pub source: Source,
    /// What the value must match. `None` accepts any value that is not empty.
    pub value: Option<ValuePattern>,
}

/// Where a value comes from in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The header with this name in lower case. The values of repeated headers are joined with commas (RFC 9110 section
    /// 5.3).
    Header(String),
    /// The cookie with this name.
    Cookie(String),
    /// The query parameter with this name, decoded as a form.
    Query(String),
    /// The host without its port.
    Host,
}

/// An expression that the whole value must match.
#[derive(Clone, Debug)]
pub struct ValuePattern {
    text: String,
    program: Program,
}

impl Condition {
    /// Whether the request meets the condition.
    pub fn is_met(&self, request: &Request, budget: &Budget) -> bool {
        let fits = |value: &str| {
            !value.is_empty() && self.value.as_ref().is_none_or(|wanted| wanted.matches(value, budget))
        };
        match &self.source {
            Source::Header(name) => fits(&request.headers.joined(name)),
            Source::Cookie(name) => {
                cookie::values(request.headers.get_all("cookie"), name).any(|value| fits(&value))
            }
            Source::Query(name) => {
                let query = request.url.query.as_deref().unwrap_or_default();
                form_urlencoded::parse(query.as_bytes())
                    .any(|(this, value)| this == name.as_str() && fits(&value))
            }
            Source::Host => fits(request.url.host()),
        }
    }
}

impl ValuePattern {
    /// Parses an expression for the whole value: `^value$`, as in Next.js.
    pub fn parse(text: &str) -> Result<Self, RegexpError> {
        let chars: Vec<char> = text.chars().collect();
        let too_large = RegexpError { problem: RegexpProblem::TooLarge, at: chars.len() };
        if text.len() > MAX_LENGTH {
            return Err(too_large);
        }
        let node = regexp::parse(&chars, 0, chars.len())?;
        if matches!(node, Node::Alternatives(_)) {
            return Err(RegexpError { problem: RegexpProblem::BareAlternatives, at: 0 });
        }
        let program = Program::new(&node).map_err(|_| too_large)?;
        Ok(Self { text: text.to_owned(), program })
    }

    fn matches(&self, value: &str, budget: &Budget) -> bool {
        self.program.matches(&value.encode_utf16().collect::<Vec<_>>(), budget)
    }
}

/// `header x-preview = 1`
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Header(name) => write!(f, "header {name}")?,
            Source::Cookie(name) => write!(f, "cookie {name}")?,
            Source::Query(name) => write!(f, "query {name}")?,
            Source::Host => f.write_str("host")?,
        }
        match &self.value {
            Some(value) => write!(f, " = {}", value.text),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::http::request::{Method, RequestUrl};

    fn is_met(source: Source, value: Option<&str>, url: &str, headers: &[(&str, &str)]) -> bool {
        let value =
            value.map(|text| ValuePattern::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")));
        let request = Request {
            method: Method::Get,
            url: RequestUrl::parse(url).unwrap(),
            headers: headers.iter().copied().collect(),
        };
        Condition { source, value }.is_met(&request, &Budget::new())
    }

    #[test]
    fn a_condition_is_met_by_a_value_that_is_present_or_matches() {
        let header = || Source::Header("x-a".to_owned());
        let cookie = || Source::Cookie("a".to_owned());
        let query = || Source::Query("a".to_owned());
        for (source, value, url, headers, met) in [
            (header(), None, "https://h/", &[("X-A", "1")][..], true),
            (header(), None, "https://h/", &[("x-a", "")], false),
            (header(), None, "https://h/", &[("x-b", "1")], false),
            (header(), Some("1"), "https://h/", &[("x-a", "1")], true),
            (header(), Some("1"), "https://h/", &[("x-a", "11")], false),
            (header(), Some("1"), "https://h/", &[("x-a", "x1")], false),
            (header(), Some("1, 2"), "https://h/", &[("x-a", "1"), ("x-a", "2")], true),
            (header(), Some("(?<any>.*)b.*"), "https://h/", &[("x-a", "abc")], true),
            (header(), Some("(a|b)+"), "https://h/", &[("x-a", "abab")], true),
            (header(), Some("A"), "https://h/", &[("x-a", "a")], false),
            (cookie(), None, "https://h/", &[("cookie", "b=1; a=2")], true),
            (cookie(), Some("2"), "https://h/", &[("cookie", "a=%32")], true),
            (cookie(), Some("2"), "https://h/", &[("cookie", "a=1; a=2")], true),
            (cookie(), Some("2"), "https://h/", &[("cookie", "a=1"), ("cookie", "a=2")], true),
            (cookie(), None, "https://h/", &[("cookie", "aa=1; a=")], false),
            (query(), None, "https://h/?b&a=1", &[], true),
            (query(), None, "https://h/?a", &[], false),
            (query(), None, "https://h/", &[], false),
            (query(), Some("x y"), "https://h/?a=x+y", &[], true),
            (query(), Some("x y"), "https://h/?a=1&%61=x%20y&a=2", &[], true),
            (query(), Some("1"), "https://h/?a=11", &[], false),
            (Source::Host, Some("app\\.example\\.com"), "https://App.example.com:8443/", &[], true),
            (Source::Host, Some("app\\.example\\.com"), "https://app-example.com/", &[], false),
            (Source::Host, Some("h"), "https://other/", &[("host", "h"), ("x-forwarded-host", "h")], false),
        ] {
            assert_eq!(
                is_met(source.clone(), value, url, headers),
                met,
                "{source:?} {value:?} {url} {headers:?}"
            );
        }
    }

    #[test]
    fn a_value_is_found_after_thousands_of_others() {
        let query = format!("https://h/?{}a=1", "x&".repeat(5000));
        assert!(is_met(Source::Query("a".to_owned()), Some("1"), &query, &[]));
        let field = format!("{}a=1", "x=1; ".repeat(5000));
        assert!(is_met(Source::Cookie("a".to_owned()), Some("1"), "https://h/", &[("cookie", &field)]));
    }

    #[test]
    fn an_expression_that_ecmascript_would_anchor_at_one_end_only_is_rejected() {
        let problem = |text: &str| ValuePattern::parse(text).unwrap_err().problem;
        assert_eq!(problem("a|b"), RegexpProblem::BareAlternatives);
        assert_eq!(problem("(a"), RegexpProblem::UnclosedGroup);
        assert_eq!(problem(&"a".repeat(1025)), RegexpProblem::TooLarge);
        assert!(ValuePattern::parse(&"a".repeat(1024)).is_ok());
    }
}
