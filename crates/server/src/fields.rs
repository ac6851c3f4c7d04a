//! Header fields between hyper's types and the core's.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue, InvalidHeaderName, InvalidHeaderValue};

use vestibule_core::http::changes::{Change, Changes};
use vestibule_core::http::headers::Headers;

/// Fields of one connection, which end here (RFC 9110 section 7.6.1).
static HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("keep-alive"),
];

/// The fields as the core's. A value that is no UTF-8 is read as ISO 8859-1.
pub(crate) fn read(fields: &HeaderMap) -> Headers {
    fields.iter().map(|(name, value)| (name.as_str(), text(value))).collect()
}

/// The text of a value.
pub(crate) fn text(value: &HeaderValue) -> String {
    match str::from_utf8(value.as_bytes()) {
        Ok(text) => text.to_owned(),
        Err(_) => value.as_bytes().iter().copied().map(char::from).collect(),
    }
}

fn is_utf8(value: &HeaderValue) -> bool {
    str::from_utf8(value.as_bytes()).is_ok()
}

/// The value of a text in ISO 8859-1, if it is one.
fn latin(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
    HeaderValue::from_bytes(bytes.as_deref().unwrap_or(text.as_bytes()))
}

/// The core's fields as hyper's.
pub(crate) fn write(headers: &Headers) -> Result<HeaderMap, FieldError> {
    let mut fields = HeaderMap::new();
    for (name, value) in headers.iter() {
        fields.append(name.parse::<HeaderName>()?, HeaderValue::from_bytes(value.as_bytes())?);
    }
    Ok(fields)
}

/// Applies the core's changes.
pub(crate) fn apply(changes: &Changes, fields: &mut HeaderMap) -> Result<(), FieldError> {
    for change in changes.iter() {
        match change {
            Change::Remove(name) => drop(fields.remove(name)),
            Change::Set(name, value) => {
                let name = name.parse::<HeaderName>()?;
                // What is left of a client's cookies was read as ISO 8859-1 if it was no UTF-8. All other values are ours.
                let is_latin =
                    name == header::COOKIE && fields.get(&name).is_some_and(|value| !is_utf8(value));
                let value = if is_latin { latin(value) } else { HeaderValue::from_bytes(value.as_bytes()) };
                fields.insert(name, value?);
            }
        }
    }
    Ok(())
}

/// Makes sure that the fields of an answer give its body one length, or none. hyper reads a body that is chunked as such, and leaves
/// a `Content-Length` beside it that says something else (RFC 9112 section 6.3).
pub(crate) fn check_length(fields: &mut HeaderMap) -> Result<(), LengthError> {
    let mut codings = fields.get_all(header::TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next() {
        if codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked") {
            return Err(LengthError::Coding);
        }
        fields.remove(header::CONTENT_LENGTH);
        return Ok(());
    }
    let mut lengths = elements(fields, &header::CONTENT_LENGTH);
    let Some(first) = lengths.next() else { return Ok(()) };
    let is_number = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
    if !is_number || lengths.any(|length| length != first) {
        return Err(LengthError::Several);
    }
    let length = HeaderValue::from_bytes(first).map_err(|_| LengthError::Several)?;
    drop(lengths);
    fields.insert(header::CONTENT_LENGTH, length);
    Ok(())
}

/// Whether `Connection` says that `Upgrade` is meant for this end of it (RFC 9110 section 7.8). A proxy in front that reads no upgrade
/// would send the next client's request on a connection that has left HTTP.
pub(crate) fn has_upgrade_option(fields: &HeaderMap) -> bool {
    elements(fields, &header::CONNECTION).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
}

/// The elements of a field that is a list (RFC 9110 section 5.6.1), in all its lines.
fn elements<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = fields.get_all(name).iter();
    lines.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii)
}

/// Removes what belongs to the connection that the message came by, also what `Connection` names.
pub(crate) fn remove_hop_by_hop(fields: &mut HeaderMap) {
    let named: Vec<HeaderName> = fields
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        fields.remove(name);
    }
}

/// Why it is not known how long the body of an answer is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LengthError {
    #[error("its answer has a transfer coding besides chunked, which was not asked for")]
    Coding,
    #[error("its answer has several lengths")]
    Several,
}

/// A name or a value that no header field can have. The message does not quote it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FieldError {
    #[error("a header field has an invalid name")]
    Name(#[from] InvalidHeaderName),
    #[error("a header field has an invalid value")]
    Value(#[from] InvalidHeaderValue),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_ascii_is_read_and_a_line_break_is_never_written() {
        let mut fields = HeaderMap::new();
        fields.append("x", HeaderValue::from_bytes("Zoë".as_bytes()).unwrap());
        fields.append("x", HeaderValue::from_bytes(b"Zo\xeb").unwrap());
        assert_eq!(read(&fields).get_all("x").collect::<Vec<_>>(), ["Zoë", "Zoë"]);
        for value in ["a\r\nb", "a\nb", "a\0b"] {
            let headers: Headers = [("x", value)].into_iter().collect();
            assert!(write(&headers).is_err(), "{value:?}");
        }
    }

    #[test]
    fn fields_that_connection_names_end_with_the_connection() {
        let mut fields = HeaderMap::new();
        for (name, value) in [("connection", "close, x-hop"), ("x-hop", "1"), ("keep-alive", "1"), ("x", "1")]
        {
            fields.append(name, HeaderValue::from_static(value));
        }
        remove_hop_by_hop(&mut fields);
        assert_eq!(fields.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["x"]);
    }
}
