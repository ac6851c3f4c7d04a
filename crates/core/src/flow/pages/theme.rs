//! What the site's theme adds to a page.

use std::fmt::Write;

use maud::{Markup, html};

use crate::config::theme::{Accent, text_on};
use crate::flow::RequestContext;
use crate::platform::Platform;
use crate::texts::Text;
use crate::texts::offered::Language;
use vestibule_oidc::presets::Rgb;

impl<P: Platform> RequestContext<'_, P> {
    /// Above the heading: the logo, or the name alone.
    pub(super) fn brand(&self) -> Markup {
        let theme = &self.config().theme;
        let name = theme.name.as_deref();
        html! {
            @if let Some(logo) = &theme.logo {
                picture.logo {
                    @if let Some(dark) = &theme.logo_dark {
                        source srcset=(self.page_url(dark)) media="(prefers-color-scheme:dark)";
                    }
                    img src=(self.page_url(logo)) alt=(name.unwrap_or(&self.request.url.authority));
                }
            } @else if let Some(name) = name {
                p.name { bdi { (name) } }
            }
        }
    }

    /// Whether the site has a logo or a name.
    pub(super) fn has_brand(&self) -> bool {
        let theme = &self.config().theme;
        theme.logo.is_some() || theme.name.is_some()
    }

    /// The links at the foot of the page.
    pub(super) fn foot_links(&self, language: &Language) -> Markup {
        let links = &self.config().theme.links;
        let shown = [(Text::Privacy, &links.privacy), (Text::Support, &links.support)];
        html! {
            @if shown.iter().any(|(_, link)| link.is_some()) {
                nav {
                    @for (text, link) in shown {
                        @if let Some(link) = link { (self.link(language, text, link)) }
                    }
                }
            }
        }
    }

    /// A link of the theme.
    pub(super) fn link(&self, language: &Language, text: Text, to: &str) -> Markup {
        html! { a.link href=(self.page_url(to)) { (language.text(text)) } }
    }

    /// The sources of the pictures that a page may load (Content Security Policy Level 3, `img-src`): the logos and the
    /// icon of the site, and nothing else.
    pub(super) fn picture_sources(&self) -> String {
        let theme = &self.config().theme;
        let mut sources = format!("{}/favicon.ico", self.request.url.origin());
        for logo in [&theme.logo, &theme.logo_dark].into_iter().flatten() {
            let url = self.page_url(logo);
            // A source has no query.
            let url = url.split('?').next().unwrap_or_default();
            let _ = write!(sources, " {url}");
        }
        sources
    }

    /// The style rules of the theme.
    pub(super) fn theme_rules(&self) -> String {
        let Some(Accent { light, dark }) = self.config().theme.accent else { return String::new() };
        let root = |color: Rgb| {
            let text = text_on(color);
            // What is under the pointer gets darker, or lighter where the text on it is black.
            let shade = if text == Rgb(0, 0, 0) { "rgb(255 255 255/.2)" } else { "rgb(0 0 0/.12)" };
            format!(":root{{--accent:{color};--on-accent:{text};--shade:{shade};--tint:var(--hover)}}")
        };
        format!("{}@media (prefers-color-scheme:dark){{{}}}", root(light), root(dark))
    }
}
