//! Who is signed in, as the pages say it.

use maud::{Markup, html};
use serde_json::Value;

use crate::session::claims::Session;

/// "Signed in as", with the name and the e-mail address that the session has; nothing where it has neither.
pub(super) fn signed_in_as(session: &Session) -> Markup {
    let (name, email) = (text(session.name()), text(session.email()));
    let Some(first) = name.or(email) else { return Markup::default() };
    let second = email.filter(|email| *email != first);
    html! {
        div.account {
            @if let Some(initial) = first.chars().next() {
                span.badge aria-hidden="true" { (initial) }
            }
            p {
                "Signed in as "
                // Names are written in any direction, and must not turn what is around them.
                strong { bdi { (first) } }
                @if let Some(second) = second { " " bdi { (second) } }
            }
        }
    }
}

fn text(claim: Option<&Value>) -> Option<&str> {
    claim.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}
