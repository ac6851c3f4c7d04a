//! The part of a page that says who is signed in.

use maud::{Markup, html};
use serde_json::Value;

use crate::session::claims::Session;
use crate::texts::Text;
use crate::texts::offered::Language;

/// "Signed in as", with the session's name and e-mail address; nothing if it has neither.
pub(super) fn signed_in_as(language: &Language, session: &Session) -> Markup {
    let (name, email) = (text(session.name()), text(session.email()));
    let Some(first) = name.or(email) else { return Markup::default() };
    let second = email.filter(|email| *email != first);
    html! {
        div.account {
            @if let Some(initial) = first.chars().next() {
                span.badge aria-hidden="true" { (initial) }
            }
            p {
                (language.text(Text::SignedInAs)) " "
                // A name may be written from right to left, which must not reverse the text around it.
                strong { bdi { (first) } }
                @if let Some(second) = second { " " bdi { (second) } }
            }
        }
    }
}

fn text(claim: Option<&Value>) -> Option<&str> {
    claim.and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}
