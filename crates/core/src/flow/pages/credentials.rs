//! The fields that the sign-in page shows for your own API.

use maud::{Markup, html};

use crate::flow::signin::persistence::PERSISTENT;
use crate::session::typed::Typed;
use crate::texts::Text;
use crate::texts::offered::Language;
use vestibule_oidc::credentials::provider::{Field, FieldPurpose};

/// The content of a form.
pub(super) struct Inputs<'a> {
    pub(super) provider_id: &'a str,
    pub(super) fields: &'a [Field],
    /// What was typed before the API refused it.
    pub(super) typed: Option<Typed>,
    /// Whether the cursor is in this form when the page opens: in the first field that is empty.
    pub(super) has_cursor: bool,
    /// Whether there is the checkbox "Keep me signed in".
    pub(super) asks_to_keep: bool,
    /// The link for people who forgot their password.
    pub(super) forgot: Option<Markup>,
    /// What the button says.
    pub(super) button: Markup,
    /// The id of the element with the error message about the fields.
    pub(super) error_id: Option<&'static str>,
}

impl Inputs<'_> {
    pub(super) fn markup(&self, language: &Language) -> Markup {
        let is_empty = |field: &&Field| self.value(field).is_none();
        let mut empty = self.fields.iter().filter(is_empty);
        let first = empty.clone().find(|field| field.required).or_else(|| empty.next());
        let cursor = first.filter(|_| self.has_cursor).map(|field| field.name.as_str());
        html! {
            @for field in self.fields {
                (self.input(language, field, cursor == Some(field.name.as_str())))
            }
            @if self.asks_to_keep { (self.keep_checkbox(language)) }
            button type="submit" { (self.button) }
            @if let Some(link) = &self.forgot { p.below { (link) } }
        }
    }

    /// The choice whether the session stays when the browser closes. It is not checked at first: a computer may be shared.
    fn keep_checkbox(&self, language: &Language) -> Markup {
        // A configured field cannot have this name, so no other element has this id.
        let id = format!("{}-{PERSISTENT}", self.provider_id);
        html! {
            div.check {
                input id=(id) name=(PERSISTENT) type="checkbox" value="true";
                label for=(id) { (language.text(Text::KeepSignedIn)) }
            }
        }
    }

    /// One field. Its id begins with the provider's, because a page may show several providers.
    fn input(&self, language: &Language, field: &Field, has_cursor: bool) -> Markup {
        let id = format!("{}-{}", self.provider_id, field.name);
        let autocomplete = field.autocomplete.as_deref();
        // Phones capitalize the first letter of a text. A user name must stay as it is.
        let is_name = field.kind == "text" && autocomplete == Some("username");
        let autocapitalize = is_name.then_some("none");
        let placeholder = field.placeholder.as_ref().map(|text| text.in_language(&language.tag));
        html! {
            label for=(id) {
                bdi { (label(language, field)) }
                @if !field.required { span.soft { " " (language.text(Text::Optional)) } }
            }
            input id=(id) name=(field.name) type=(field.kind) value=[self.value(field)] placeholder=[placeholder]
                autocomplete=[autocomplete] autocapitalize=[autocapitalize] aria-describedby=[self.error_id]
                required[field.required] autofocus[has_cursor];
        }
    }

    fn value(&self, field: &Field) -> Option<&str> {
        self.typed.as_ref().filter(|_| field.names_account())?.value(&field.name)
    }
}

/// The label of the configuration; otherwise what the field is for, as far as that is known.
fn label<'a>(language: &'a Language, field: &'a Field) -> &'a str {
    if let Some(label) = &field.label {
        return label.in_language(&language.tag);
    }
    match field.purpose() {
        FieldPurpose::Email => language.text(Text::EmailField),
        FieldPurpose::Username => language.text(Text::UsernameField),
        FieldPurpose::Password => language.text(Text::PasswordField),
        FieldPurpose::OneTimeCode => language.text(Text::CodeField),
        FieldPurpose::Other => &field.name,
    }
}
