//! What else of a request a rule looks at.

use crate::config::check::upstreams::is_token;
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawCondition;
use crate::guard::conditions::{Condition, Source, ValuePattern};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Header,
    Cookie,
    Query,
    Host,
}

const KINDS: [(&str, Kind); 4] =
    [("header", Kind::Header), ("cookie", Kind::Cookie), ("query", Kind::Query), ("host", Kind::Host)];

pub(super) fn conditions(
    raw: Option<&[RawCondition<'_>]>,
    place: &Place,
    problems: &mut Problems,
) -> Vec<Condition> {
    let raw = raw.unwrap_or_default().iter().enumerate();
    raw.filter_map(|(i, raw)| condition(raw, &place.index(i), problems)).collect()
}

fn condition(raw: &RawCondition<'_>, place: &Place, problems: &mut Problems) -> Option<Condition> {
    const HOW: &str = "write type = \"header\", \"cookie\", \"query\" or \"host\"";
    let Some(kind) = raw.kind else {
        problems.refuse_and_mend(place, "says not where to look", HOW);
        return None;
    };
    let kind = problems.chosen(&place.key("type"), kind, &KINDS)?;
    let value = match raw.value {
        Some("") => {
            let mend = "leave it out for any value that is not empty";
            problems.refuse_and_mend(&place.key("value"), "an empty value counts as none", mend);
            None
        }
        Some(text) => problems.parsed(&place.key("value"), text, ValuePattern::parse(text)),
        None => None,
    };
    let source = if kind == Kind::Host {
        if raw.key.is_some() {
            problems.refuse_and_mend(&place.key("key"), "a host has none", "leave it out");
        }
        if raw.value.is_none() {
            problems.refuse_and_mend(
                place,
                "every request has a host",
                "add value = \"app\\\\.example\\\\.com\"",
            );
        }
        Source::Host
    } else {
        named(kind, raw.key, place, problems)?
    };
    Some(Condition { source, value })
}

fn named(kind: Kind, key: Option<&str>, place: &Place, problems: &mut Problems) -> Option<Source> {
    let Some(key) = key.filter(|key| !key.is_empty()) else {
        problems.refuse_and_mend(place, "says not which", "add key = \"name\"");
        return None;
    };
    // A parameter may have any name.
    if kind != Kind::Query && !is_token(key) {
        problems.refuse(&place.key("key"), format!("no header or cookie is named {}", quoted(key)));
    }
    Some(match kind {
        Kind::Header => Source::Header(key.to_ascii_lowercase()),
        Kind::Cookie => Source::Cookie(key.to_owned()),
        Kind::Query | Kind::Host => Source::Query(key.to_owned()),
    })
}
