//! The trace that a request belongs to ([W3C Trace Context](https://www.w3.org/TR/trace-context/)).
//!
//! Vestibule records no spans, so it takes no part in a trace: it forwards a valid `traceparent` as it is, with its
//! `tracestate`, and begins no trace of its own. One that is not valid goes no further, and
//! neither does a `tracestate` without a valid `traceparent`: the server behind begins a new trace, as it would for a client
//! that sends neither.

use vestibule_oidc::http::changes::Changes;
use vestibule_oidc::http::headers::Headers;

const PARENT: &str = "traceparent";
const STATE: &str = "tracestate";

/// The length of `traceparent` in version 00.
const LENGTH: usize = 55;

/// The largest `tracestate`, in bytes. All systems have to pass on 512 (section 3.3.1.5).
const MAX_STATE: usize = 8 * 1024;

/// Removes what is not a trace.
pub fn remove_invalid(headers: &Headers, changes: &mut Changes) {
    let is_valid = id(headers).is_some();
    if !is_valid && headers.contains(PARENT) {
        changes.remove(PARENT);
    }
    let size = || headers.get_all(STATE).map(str::len).sum::<usize>();
    if headers.contains(STATE) && (!is_valid || size() > MAX_STATE) {
        changes.remove(STATE);
    }
}

/// The id of the trace: 32 hexadecimal digits. `None` without a valid `traceparent` (section 3.2).
pub fn id(headers: &Headers) -> Option<&str> {
    let mut values = headers.get_all(PARENT);
    let (value, None) = (values.next()?, values.next()) else { return None };
    let is_long_enough = value.len() == LENGTH
        // A later version may have more fields.
        || value.len() > LENGTH && !value.starts_with("00") && value.as_bytes().get(LENGTH) == Some(&b'-');
    if !is_long_enough {
        return None;
    }
    let mut fields = value.split('-');
    let version = fields.next().filter(|version| is_hex(version, 2) && *version != "ff");
    let trace = fields.next().filter(|trace| is_hex(trace, 32) && !is_zero(trace));
    let parent = fields.next().filter(|parent| is_hex(parent, 16) && !is_zero(parent));
    let flags = fields.next().filter(|flags| is_hex(flags, 2));
    version.and(parent).and(flags).and(trace)
}

/// So many digits, in lower case.
fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALID: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn of(fields: &[(&str, &str)]) -> Headers {
        fields.iter().copied().collect()
    }

    /// The examples of the specification and of its test suite.
    #[test]
    fn a_traceparent_is_valid_or_not_as_the_specification_says() {
        let trace = Some("4bf92f3577b34da6a3ce929d0e0e4736");
        for (value, expected) in [
            (VALID, trace),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", trace),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", trace),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", trace),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.what-the-future-will-be-like", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.", None),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", None),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", None),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-600f067aa0ba902b7-01", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", None),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-.0", None),
            ("0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-001", None),
            (" 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", None),
            ("\u{e4}0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", None),
            ("", None),
        ] {
            assert_eq!(id(&of(&[(PARENT, value)])), expected, "{value}");
        }
        assert_eq!(id(&of(&[(PARENT, VALID), (PARENT, VALID)])), None, "two of them");
        assert_eq!(id(&of(&[])), None);
    }

    #[test]
    fn only_a_valid_trace_goes_on_and_a_state_only_with_it() {
        let (long, longest) = ("a".repeat(8193), "a".repeat(8192));
        for (fields, forwarded) in [
            (&[(PARENT, VALID), (STATE, "a=1"), (STATE, "b=2")][..], [1, 2]),
            (&[(PARENT, VALID)], [1, 0]),
            (&[(PARENT, "x"), (STATE, "a=1")], [0, 0]),
            (&[(PARENT, VALID), (PARENT, VALID), (STATE, "a=1")], [0, 0]),
            (&[(STATE, "a=1")], [0, 0]),
            (&[(PARENT, VALID), (STATE, &long)], [1, 0]),
            (&[(PARENT, VALID), (STATE, &longest)], [1, 1]),
            (&[(PARENT, VALID), (STATE, &longest), (STATE, "b")], [1, 0]),
            (&[("accept", "*/*")], [0, 0]),
        ] {
            let (headers, mut changes) = (of(fields), Changes::default());
            remove_invalid(&headers, &mut changes);
            let after = changes.applied_to(&headers);
            assert_eq!([PARENT, STATE].map(|name| after.get_all(name).count()), forwarded, "{fields:?}");
            let is_untouched = forwarded.iter().sum::<usize>() == fields.len() || fields[0].0 == "accept";
            assert_eq!(changes.iter().count() == 0, is_untouched, "{fields:?}");
        }
    }
}
