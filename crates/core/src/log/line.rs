//! What a call site says, and the line that the log gets.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{AuditKind, ErrorSource, Level, LogEvent};
use crate::guard::headers::EdgeFields;
use crate::guard::trace;
use vestibule_oidc::http::request::Request;
use vestibule_oidc::time::Timestamp;

/// How many characters of a message are logged. The longest ones name a place of the configuration and how to fix it.
const MESSAGE: usize = 1000;

/// How many characters of any other value are logged: as many as a host's name can have, and then some for paths.
const VALUE: usize = 300;

/// Something to be logged, as the place in the code says it where it happens. It becomes a [`Line`] with the request
/// around it, or by the word that there is none.
#[derive(Clone, Debug)]
#[must_use = "a record is not in the log yet"]
pub struct Record {
    event: LogEvent,
    error_source: ErrorSource,
    message: String,
    provider: Option<String>,
    code: Option<String>,
    /// Boxed: errors hold records, and few have it.
    details: Option<Box<Details>>,
}

/// What few records say.
#[derive(Clone, Debug, Default)]
struct Details {
    rule: Option<String>,
    reason: Option<&'static str>,
    subject: Option<String>,
}

/// One line of the operator's log. It is written as a JSON object: no value has a control character, each is of
/// bounded length, and none holds a secret, because no error type does.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    event: LogEvent,
    level: Level,
    message: String,
    error_source: ErrorSource,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(flatten)]
    request: Option<RequestDetails>,
}

/// What a log line says of the request in which something happened. Never its query, which may hold an authorization
/// code.
#[derive(Clone, Debug, Serialize)]
pub struct RequestDetails {
    host: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
}

impl Record {
    /// That `event` happened. `message` says what is wrong, where, and how to fix it.
    pub fn new(event: LogEvent, message: impl fmt::Display) -> Self {
        Self {
            event,
            error_source: event.entry().usual_case.error_source,
            message: message.to_string(),
            provider: None,
            code: None,
            details: None,
        }
    }

    /// Whose error it is, of an event that can be the error of several.
    pub fn caused_by(self, error_source: ErrorSource) -> Self {
        Self { error_source, ..self }
    }

    /// At which provider, by its id in the configuration.
    pub fn provider(self, id: &str) -> Self {
        Self { provider: Some(id.to_owned()), ..self }
    }

    /// With which error code for the client.
    pub fn code(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }

    /// Which rule refused, by its place in the configuration, and how.
    pub fn refused_by(self, rule: &str, reason: &'static str) -> Self {
        let details = self.details.unwrap_or_default();
        let details = Details { rule: Some(rule.to_owned()), reason: Some(reason), ..*details };
        Self { details: Some(Box::new(details)), ..self }
    }

    /// Whose it is, by the [hash](super::subject_hash) of the user, where it is not the user whose session the request has.
    pub fn subject(self, hash: Option<String>) -> Self {
        if hash.is_none() {
            return self;
        }
        let details = Details { subject: hash, ..*self.details.unwrap_or_default() };
        Self { details: Some(Box::new(details)), ..self }
    }

    /// The line where it happened in a request.
    pub fn in_request(mut self, request: &RequestDetails) -> Line {
        let mut request = request.clone();
        let named = self.details.as_mut().and_then(|details| details.subject.take());
        request.subject = named.or(request.subject);
        self.line(Some(request))
    }

    /// The line where it happened before or after all requests.
    pub fn outside_requests(self) -> Line {
        self.line(None)
    }

    fn line(self, request: Option<RequestDetails>) -> Line {
        let Self { event, error_source, message, provider, code, details } = self;
        let Details { rule, reason, subject: _ } = details.map(|details| *details).unwrap_or_default();
        Line {
            event,
            level: event.level(error_source),
            message: bounded(&message, MESSAGE),
            error_source,
            audit: event.entry().audit.map(AuditKind::name),
            provider: provider.map(|id| bounded(&id, VALUE)),
            code: code.map(|code| bounded(&code, VALUE)),
            rule: rule.map(|rule| bounded(&rule, VALUE)),
            reason,
            request,
        }
    }
}

impl Line {
    /// Which event it tells of.
    pub fn event(&self) -> LogEvent {
        self.event
    }

    /// How much it matters.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Whose error it is.
    pub fn error_source(&self) -> ErrorSource {
        self.error_source
    }

    /// What it says.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// As JSON, without a line break.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl RequestDetails {
    /// Those of `request`. `edge` names the field with the request's id.
    pub fn of(request: &Request, edge: EdgeFields) -> Self {
        Self {
            host: bounded(request.url.host(), VALUE),
            path: bounded(&request.url.path, VALUE),
            request_id: edge.request_id(&request.headers).map(str::to_owned),
            trace: trace::id(&request.headers).map(str::to_owned),
            time: None,
            subject: None,
        }
    }

    /// With the time.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { time: Some(now.to_rfc3339()), ..self }
    }

    /// With the user whom it is about, by the [hash](super::subject_hash).
    #[must_use]
    pub fn about(self, subject: Option<String>) -> Self {
        Self { subject, ..self }
    }
}

impl Serialize for LogEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// The beginning of `text`, with `?` for what could look like another line or change how a line reads.
fn bounded(text: &str, limit: usize) -> String {
    let mut characters = text.chars();
    let mut shown: String =
        characters.by_ref().take(limit).map(|c| if is_misleading(c) { '?' } else { c }).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

/// Control characters, line and paragraph separators, and what changes the direction of text or shows nothing.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use vestibule_oidc::http::request::{Method, RequestUrl};

    const EDGE: EdgeFields = EdgeFields {
        prefix: Some("x-edge-"),
        headers: &["x-edge-id"],
        client_address: None,
        request_id: Some("x-edge-id"),
    };

    fn details(url: &str, headers: &[(&str, &str)]) -> RequestDetails {
        let headers = headers.iter().copied().collect();
        RequestDetails::of(
            &Request { method: Method::Get, url: RequestUrl::parse(url).unwrap(), headers },
            EDGE,
        )
    }

    #[test]
    fn a_line_is_json_with_everything_that_is_known_and_nothing_else() {
        let request = details("https://App.example:8443/a%20b?code=secret", &[("x-edge-id", "8f-1_x.y")]);
        let record = Record::new(LogEvent::AuthError, "provider acme: \"no\"")
            .caused_by(ErrorSource::Provider)
            .provider("acme")
            .code("Configuration");
        assert_eq!(
            record.in_request(&request).to_string(),
            r#"{"event":"auth_error","level":"warn","message":"provider acme: \"no\"","error_source":"provider","audit":"refusal","provider":"acme","code":"Configuration","host":"app.example","path":"/a%20b","request_id":"8f-1_x.y"}"#
        );
        assert_eq!(
            Record::new(LogEvent::ConfigurationInvalid, "AUTH: no").outside_requests().to_string(),
            r#"{"event":"configuration_invalid","level":"error","message":"AUTH: no","error_source":"configuration","audit":"configuration"}"#
        );
    }

    #[test]
    fn a_request_id_is_one_short_word_or_absent() {
        let long = "a".repeat(65);
        let absent: [&[(&str, &str)]; 6] = [
            &[],
            &[("x-edge-id", "")],
            &[("x-edge-id", "a b")],
            &[("x-edge-id", "a\"},{")],
            &[("x-edge-id", &long)],
            &[("x-edge-id", "a"), ("x-edge-id", "b")],
        ];
        for headers in absent {
            assert_eq!(details("https://app.example/", headers).request_id, None, "{headers:?}");
        }
        let longest = "a".repeat(64);
        let details = details("https://app.example/", &[("x-edge-id", &longest)]);
        assert_eq!(details.request_id, Some(longest));
    }

    #[test]
    fn no_value_is_long_or_has_a_character_that_misleads() {
        let text = format!("a\nb\u{1b}\u{202e}\u{2028}{}", "ä".repeat(5000));
        let request = details(&format!("https://app.example/{}", "p".repeat(5000)), &[]);
        let line = Record::new(LogEvent::AuthError, &text)
            .provider(&text)
            .code(&text)
            .in_request(&request)
            .to_string();
        assert!(line.contains("\"message\":\"a?b???ä") && line.contains("pp…\""), "{line}");
        assert!(!line.contains(is_misleading) && line.chars().count() < 2200, "{line}");
        assert_eq!(bounded("äöü", 3), "äöü");
        assert_eq!(bounded("äöü", 2), "äö…");
    }
}
