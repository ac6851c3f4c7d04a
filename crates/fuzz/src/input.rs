//! How inputs are read, and what all targets share.

use std::fmt::Display;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::Value;
use vestibule_core::http::client::FetchResponse;
use vestibule_core::http::headers::Headers;
use vestibule_core::time::Timestamp;

use crate::Shape;

/// The time at which every target runs.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_290_000);

/// The same, in seconds, as a number of JSON.
pub(crate) const NOW_SECONDS: f64 = 1_795_290_000.0;

/// The input as text; what is not UTF-8 becomes U+FFFD.
pub(crate) fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// The first line of a text, and the rest.
pub(crate) fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// A response: the first line is its status and its media type, the rest its body.
pub(crate) fn response(input: &[u8]) -> FetchResponse {
    let at = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let line = text(&input[..at]);
    let (status, media_type) = line.split_once(' ').unwrap_or((&line, ""));
    // A media type is quoted in messages, as it is.
    let fields = Some(("content-type", media_type))
        .filter(|(_, value)| !value.is_empty() && !value.to_lowercase().contains(&CODE.to_lowercase()));
    FetchResponse {
        // No runtime gives another one.
        status: status.parse().ok().filter(|status| (200..600).contains(status)).unwrap_or(200),
        headers: fields.into_iter().collect::<Headers>(),
        body: input.get(at + 1..).unwrap_or_default().to_vec(),
    }
}

/// The JSON of a response, which may begin with a byte order mark.
pub(crate) fn json_of(response: &FetchResponse) -> serde_json::Result<Value> {
    serde_json::from_slice(response.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body))
}

/// The result of a future that never waits.
pub(crate) fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future waits"),
    }
}

/// Random bytes that are the same every time.
pub(crate) fn same_bytes(bytes: &mut [u8]) {
    bytes.fill(7);
}

/// The shape of a result: the values given, without texts of the input.
pub(crate) fn shape(values: impl Hash) -> Shape {
    let mut hasher = DefaultHasher::new();
    values.hash(&mut hasher);
    Shape(hasher.finish())
}

/// The shape of an error: its message without what it quotes, and without its numbers.
pub(crate) fn error_shape(error: impl Display) -> Shape {
    let mut is_quoted = false;
    let kept: String = error
        .to_string()
        .chars()
        .filter(|c| {
            is_quoted ^= *c == '"';
            !is_quoted && !c.is_ascii_digit()
        })
        .take(40)
        .collect();
    shape(kept)
}

/// What may be logged: one line of bounded length, in which nothing breaks or reorders the line.
pub(crate) fn check_line(line: &str) {
    assert!(line.chars().count() <= 3000, "{} characters in a line of the log", line.chars().count());
    let breaks = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!line.contains(breaks), "a character that breaks or reorders a line of the log: {line:?}");
}

/// A code, as RFC 6749 writes one. Seeds have it where servers repeat what they were sent.
pub(crate) const CODE: &str = "SplxlOBeZQQYbYS6WxSbIA1";

/// A message about what another server sent: it may be logged, and does not repeat a code.
pub(crate) fn check_message(message: impl Display) {
    let message = message.to_string();
    check_line(&message);
    assert!(!message.contains(CODE), "a message repeats a code: {message}");
}
