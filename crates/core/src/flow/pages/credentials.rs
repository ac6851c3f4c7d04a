//! The form of an API of one's own, as part of the sign-in page.

use maud::{Markup, html};

use vestibule_oidc::credentials::provider::{CredentialsProvider, Field};

/// The fields and the button. `said` is the id of what the page says went wrong with them.
pub(super) fn inputs(
    provider_id: &str,
    credentials: &CredentialsProvider,
    button: &Markup,
    said: Option<&str>,
) -> Markup {
    html! {
        @for field in &credentials.fields {
            (input(provider_id, field, said))
        }
        button type="submit" { (button) }
    }
}

/// Several providers may be on one page, so the id begins with theirs.
fn input(provider_id: &str, field: &Field, said: Option<&str>) -> Markup {
    let id = format!("{provider_id}-{}", field.name);
    let autocomplete = field.autocomplete.as_deref();
    // Phones begin a line of text with a capital letter; a name to sign in with is written as it is.
    let is_name = field.kind == "text" && autocomplete == Some("username");
    let autocapitalize = is_name.then_some("none");
    html! {
        label for=(id) {
            (field.label)
            @if !field.required { span.soft { " (optional)" } }
        }
        input id=(id) name=(field.name) type=(field.kind) placeholder=[field.placeholder.as_deref()]
            autocomplete=[autocomplete] autocapitalize=[autocapitalize] aria-describedby=[said]
            required[field.required];
    }
}
