//! The language of a page, and texts with a name in them.

use maud::{Markup, Render, html};

use crate::flow::RequestContext;
use crate::flow::hosts::with_parameters;
use crate::platform::Platform;
use crate::texts::fill::around;
use crate::texts::offered::Language;
use crate::texts::preferred::{of_accept_language, of_ui_locales};
use crate::texts::{Text, offered};
use vestibule_oidc::http::form::Params;

/// The parameter of OpenID Connect Core 1.0 section 3.1.2.1.
const UI_LOCALES: &str = "ui_locales";

impl<P: Platform> RequestContext<'_, P> {
    /// The language of this page: that of `ui_locales` in the address, else the browser's, else the site's default.
    pub(super) fn language(&self) -> &Language {
        let ui_locales = self.ui_locales().unwrap_or_default();
        let accepted = self.request.headers.get("accept-language").unwrap_or_default();
        let accepted = of_accept_language(accepted);
        self.config().languages.choose(ui_locales.split(' ').filter(|tag| !tag.is_empty()).chain(accepted))
    }

    /// The address of an auth route on this host, in the language that this page's address asks for. A provider gets
    /// `ui_locales`, too.
    pub(super) fn route_in_language(&self, route: &str) -> String {
        self.in_language(self.route(route))
    }

    /// The address of one of Vestibule's pages, in the language that this page's address asks for.
    pub(crate) fn in_language(&self, page: String) -> String {
        match self.ui_locales() {
            Some(tags) => with_parameters(&page, &[(UI_LOCALES, &tags)]),
            None => page,
        }
    }

    /// The languages that the address asks for. On an app's own page, the parameter is the app's. What is no list of
    /// languages, or comes twice, is ignored.
    fn ui_locales(&self) -> Option<String> {
        let url = &self.request.url;
        let below = url.path.strip_prefix(self.config().base_path.as_str());
        if !below.is_some_and(|rest| rest.starts_with('/')) {
            return None;
        }
        let query = Params::from_urlencoded(url.query.as_deref()?.as_bytes());
        let tags = of_ui_locales(query.one(UI_LOCALES).ok().flatten()?).join(" ");
        (!tags.is_empty()).then_some(tags)
    }
}

impl Language {
    /// A text in which `name` takes the place of the name in braces.
    pub(super) fn filled(&self, text: Text, name: &impl Render) -> Markup {
        let (before, after) = around(self.text(text), text.placeholder().unwrap_or_default());
        html! { (before) (name) (after) }
    }

    /// The value of `dir`, where it is not the usual one.
    pub(super) fn dir(&self) -> Option<&'static str> {
        (self.direction() == offered::Direction::Rtl).then_some("rtl")
    }
}
