//! The layout of all pages: the document around the content, the style sheet, and a content security policy that allows
//! nothing else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::config::{Provider, ProviderKind};
use crate::flow::RequestContext;
use crate::platform::Platform;
use crate::texts::Text;
use crate::texts::offered::Language;
use vestibule_oidc::http::response::Response;

const STYLE: &str = include_str!("style.css");

/// The parts that differ from page to page. The title is also the heading.
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) title: Text,
    pub(super) icon: Icon,
    pub(super) content: Markup,
    /// Style rules of this page alone. They are not escaped, so they must not contain anything from a request.
    pub(super) rules: String,
}

/// The icon above the heading. It is decoration, hidden from screen readers.
#[derive(Clone, Copy)]
pub(super) enum Icon {
    Enter,
    Leave,
    Lock,
    Trouble,
}

impl Page {
    /// The page as the answer to a request.
    pub(super) fn respond<P: Platform>(self, context: &RequestContext<'_, P>) -> Response {
        let url = &context.request.url;
        let language = context.language();
        let style = format!("{STYLE}{}{}", context.theme_rules(), self.rules);
        // A form posts to Vestibule, which redirects to a provider. Browsers apply `form-action` to the redirect, too.
        let is_http = !url.secure || context.config().providers.iter().any(uses_http);
        let form_action = if is_http { "'self' https: http:" } else { "'self' https:" };
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; img-src {}; form-action {form_action}; \
             base-uri 'none'; frame-ancestors 'none'",
            STANDARD.encode(Sha256::digest(&style)),
            context.picture_sources()
        );
        Response::empty(self.status)
            .with("content-type", "text/html; charset=utf-8")
            .with("content-language", language.tag.as_ref())
            .with("content-security-policy", policy)
            .with("x-frame-options", "DENY")
            .with("x-content-type-options", "nosniff")
            .with("referrer-policy", "same-origin")
            .with("cache-control", "private, no-store")
            .with_body(self.document(context, language, &style).into_string())
    }

    fn document<P: Platform>(
        &self,
        context: &RequestContext<'_, P>,
        language: &Language,
        style: &str,
    ) -> Markup {
        let (title, host) = (language.text(self.title), &context.request.url.authority);
        html! {
            (DOCTYPE)
            html lang=(language.tag) dir=[language.dir()] {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex";
                    title { (title) " · " (context.config().theme.name.as_ref().unwrap_or(host)) }
                    style { (PreEscaped(style)) }
                }
                body {
                    main {
                        (context.brand())
                        @if self.icon.is_warning() || !context.has_brand() {
                            svg class=(self.icon.class()) viewBox="0 0 24 24" aria-hidden="true" {
                                path d=(self.icon.path()) {}
                            }
                        }
                        h1 { (title) }
                        (self.content)
                    }
                    footer {
                        (context.foot_links(language))
                        (host)
                    }
                }
            }
        }
    }
}

/// Whether the provider's login page is reached without `https`. Only a provider on a developer's machine can be
/// configured so.
fn uses_http(provider: &Provider) -> bool {
    let ProviderKind::OAuth(oauth) = &provider.kind else { return false };
    oauth.openid.as_ref().is_some_and(|openid| openid.issuer.starts_with("http:"))
        || oauth.authorization.endpoint.as_ref().is_some_and(|endpoint| !endpoint.is_secure())
}

impl Icon {
    /// Whether it says more than the heading's looks.
    fn is_warning(self) -> bool {
        matches!(self, Self::Lock | Self::Trouble)
    }

    fn class(self) -> &'static str {
        match self {
            Self::Enter | Self::Leave => "icon way",
            Self::Lock | Self::Trouble => "icon bad",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Enter => "M14 4h5v16h-5M4 12h11m-4-4 4 4-4 4",
            Self::Leave => "M10 4H5v16h5M9 12h11m-4-4 4 4-4 4",
            Self::Lock => "M6 11h12v9H6zM8.5 11V7.5a3.5 3.5 0 0 1 7 0V11",
            Self::Trouble => "M12 3a9 9 0 1 0 .01 0M12 7.5V13m0 3v.5",
        }
    }
}
