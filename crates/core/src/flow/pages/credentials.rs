//! The fields that the sign-in page shows for your own API.

use maud::{Markup, html};

use vestibule_oidc::credentials::provider::{CredentialsProvider, Field};

/// The fields and the button. `error_id` is the id of the element with the error message about them.
pub(super) fn inputs(
    provider_id: &str,
    credentials: &CredentialsProvider,
    button: &Markup,
    error_id: Option<&str>,
) -> Markup {
    html! {
        @for field in &credentials.fields {
            (input(provider_id, field, error_id))
        }
        button type="submit" { (button) }
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
