//! The fields that the sign-in page shows for your own API.

use maud::{Markup, html};

use crate::flow::signin::persistence::PERSISTENT;
use vestibule_oidc::credentials::provider::{CredentialsProvider, Field};

/// The fields, the checkbox "Keep me signed in" if `asks_to_keep`, and the button. `error_id` is the id of the element
/// with the error message about them.
pub(super) fn inputs(
    provider_id: &str,
    credentials: &CredentialsProvider,
    asks_to_keep: bool,
    button: &Markup,
    error_id: Option<&str>,
) -> Markup {
    html! {
        @for field in &credentials.fields {
            (input(provider_id, field, error_id))
        }
        @if asks_to_keep { (keep_checkbox(provider_id)) }
        button type="submit" { (button) }
    }
}

/// The choice whether the session stays when the browser closes. It is not checked at first: a computer may be shared.
fn keep_checkbox(provider_id: &str) -> Markup {
    // A configured field cannot have this name, so no other element has this id.
    let id = format!("{provider_id}-{PERSISTENT}");
    html! {
        div.check {
            input id=(id) name=(PERSISTENT) type="checkbox" value="true";
            label for=(id) { "Keep me signed in" }
        }
    }
}

/// One field. Its id begins with the provider's, because a page may show several providers.
fn input(provider_id: &str, field: &Field, error_id: Option<&str>) -> Markup {
    let id = format!("{provider_id}-{}", field.name);
    let autocomplete = field.autocomplete.as_deref();
    // Phones capitalize the first letter of a text. A user name must stay as it is.
    let is_name = field.kind == "text" && autocomplete == Some("username");
    let autocapitalize = is_name.then_some("none");
    html! {
        label for=(id) {
            (field.label)
            @if !field.required { span.soft { " (optional)" } }
        }
        input id=(id) name=(field.name) type=(field.kind) placeholder=[field.placeholder.as_deref()]
            autocomplete=[autocomplete] autocapitalize=[autocapitalize] aria-describedby=[error_id]
            required[field.required];
    }
}
