//! The pages around a form that was sent after the session had ended: it is kept, found again, and shown.

use maud::html;

use super::layout::{Icon, Page};
use crate::flow::RequestContext;
use crate::flow::responses::step_up_challenge;
use crate::flow::session::kept_form::{FIELD, ROUTE};
use crate::platform::Platform;
use crate::session::kept_form::KeptForm;
use crate::session::step_up::StepUp;
use crate::texts::Text;
use vestibule_oidc::http::response::Response;

/// Keeps the form in the tab, and says so. Without scripts, or where the browser keeps nothing, the page stays as it is.
const KEEP: &str = include_str!("kept_form_keep.js");

/// Sends what the tab keeps to the page that shows it, which forgets it in the tab.
const FIND: &str = include_str!("kept_form_find.js");

/// The longest part of a value that is shown, in characters. All of it is sent.
const MAX_SHOWN: usize = 300;

/// Parts of the names of fields whose values are not shown.
const SECRETS: [&str; 10] = ["pass", "pwd", "secret", "token", "csrf", "xsrf", "otp", "cvc", "cvv", "card"];

const RULES: &str = ".kept dt{font-weight:600;overflow-wrap:anywhere}\
    .kept dd{margin:0 0 .75em;white-space:pre-wrap;overflow-wrap:anywhere}";

impl<P: Platform> RequestContext<'_, P> {
    /// 401: the session has ended. `sign_in` leads to a session, and from there to the form.
    pub(crate) fn session_ended_page(&self, sealed: &str, sign_in: &str) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::LateForm)) }
            p #kept hidden data-form=(sealed) data-then=(sign_in) {
                (language.text(Text::LateFormKept))
            }
            a.button #sign-in href=(self.sign_in_url()) { (language.text(Text::SignIn)) }
        };
        let title = Text::LateFormTitle;
        let page = Page { status: 401, title, icon: Icon::Lock, content, rules: String::new() };
        page.respond_with_script(self, KEEP).with("www-authenticate", "Bearer")
    }

    /// 401: the user has to prove more before the form is accepted. `there` leads to the provider, and from there to the form.
    pub(crate) fn step_up_for_form_page(&self, sealed: &str, there: &str, asked: &StepUp) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::StepUpForm)) }
            p #kept hidden data-form=(sealed) data-then=(there) {
                (language.text(Text::LateFormKept))
            }
            a.button #sign-in href=(there) { (language.text(Text::StepUp)) }
        };
        let title = Text::StepUpTitle;
        let page = Page { status: 401, title, icon: Icon::Lock, content, rules: String::new() };
        page.respond_with_script(self, KEEP).with("www-authenticate", step_up_challenge(asked))
    }

    /// The page whose script finds the form in the tab.
    pub(crate) fn find_kept_form_page(&self) -> Response {
        let language = self.language();
        let content = html! {
            p #kept data-to=(self.route(ROUTE)) data-field=(FIELD) {
                (language.text(Text::NoKeptForm))
            }
            a.button href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let page = Page {
            status: 200,
            title: Text::KeptFormTitle,
            icon: Icon::Enter,
            content,
            rules: String::new(),
        };
        page.respond_with_script(self, FIND)
    }

    /// The form, to be sent by a click.
    pub(crate) fn kept_form_page(&self, kept: &KeptForm) -> Response {
        let (language, fields) = (self.language(), kept.fields());
        let text = if kept.waits_for_step_up { Text::StepUpKeptForm } else { Text::KeptForm };
        let content = html! {
            p { (language.text(text)) }
            dl.kept {
                @for (name, value) in &fields {
                    dt { bdi { (name) } }
                    dd { bdi { (shown(name, value)) } }
                }
            }
            form method="post" action=(kept.address) {
                @for (name, value) in &fields {
                    input type="hidden" name=(name) value=(value);
                }
                button type="submit" { (language.text(Text::SendForm)) }
            }
            a.button.quiet href={ (self.request.url.origin()) "/" } { (language.text(Text::DiscardForm)) }
        };
        let page = Page {
            status: 200,
            title: Text::KeptFormTitle,
            icon: Icon::Enter,
            content,
            rules: RULES.to_owned(),
        };
        page.respond(self)
    }

    /// 403: the form is another user's, and is neither shown nor kept any longer.
    pub(crate) fn form_of_another_user_page(&self) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::ForeignForm)) }
            a.button href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let title = Text::ForeignFormTitle;
        Page { status: 403, title, icon: Icon::Lock, content, rules: String::new() }.respond(self)
    }

    /// 410: what the browser sent is no form, or no longer.
    pub(crate) fn no_kept_form_page(&self) -> Response {
        let language = self.language();
        let content = html! {
            p { (language.text(Text::ForgottenForm)) }
            a.button href={ (self.request.url.origin()) "/" } { (language.text(Text::Home)) }
        };
        let title = Text::ForgottenFormTitle;
        Page { status: 410, title, icon: Icon::Trouble, content, rules: String::new() }.respond(self)
    }
}

/// What a value looks like on the page.
fn shown(name: &str, value: &str) -> String {
    let name = name.to_lowercase();
    if SECRETS.iter().any(|part| name.contains(part)) {
        return "••••••".to_owned();
    }
    let mut shown: String = value.chars().take(MAX_SHOWN).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}
