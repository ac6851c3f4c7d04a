//! `/favicon.ico`: the app's own icon, and where the app has none, one with the name and the colour of the site.

use maud::{Markup, html};

use crate::config::theme::text_on;
use crate::flow::RequestContext;
use crate::outcome::Outcome;
use crate::platform::{Forward, Platform};
use vestibule_oidc::http::request::Method;
use vestibule_oidc::http::response::Response;
use vestibule_oidc::presets::Rgb;

/// The path that browsers ask for where a page names no icon.
const PATH: &str = "/favicon.ico";

/// The accent colour of the pages without a theme: `pages/style.css` has the same.
const ACCENT: Rgb = Rgb(0x1f, 0x5f, 0xd6);

/// How long a browser keeps the icon, in seconds: an hour, so that an app's own icon is soon seen.
const MAX_AGE: u32 = 3600;

impl<P: Platform> RequestContext<'_, P> {
    /// Whether a browser asks for the icon of the site.
    pub(super) fn asks_for_icon(&self) -> bool {
        self.request.method == Method::Get && self.request.url.path == PATH
    }

    /// Forwards the request for the icon. A server that has none answers 404.
    pub(super) async fn forward_icon(
        &self,
        forward: Forward<'_>,
        body: P::Body,
    ) -> Outcome<P::UpstreamResponse> {
        let answer = self.platform.forward(forward, body).await;
        match answer.map(|response| self.platform.unless_missing(response)) {
            Ok(Some(response)) => Outcome::forwarded(response),
            Ok(None) => Outcome::Response(self.site_icon()),
            Err(error) => {
                self.log(error.record());
                Outcome::Response(error.answer())
            }
        }
    }

    fn site_icon(&self) -> Response {
        let theme = &self.config().theme;
        let background = theme.accent.map_or(ACCENT, |accent| accent.light);
        let initial = theme.name.as_deref().and_then(|name| name.trim().chars().next());
        Response::empty(200)
            .with("content-type", "image/svg+xml")
            .with("content-security-policy", "default-src 'none'")
            .with("x-content-type-options", "nosniff")
            .with("cache-control", format!("public, max-age={MAX_AGE}"))
            .with_body(icon(background, initial).into_string())
    }
}

/// The first letter of the site's name; without a name, a door.
fn icon(background: Rgb, initial: Option<char>) -> Markup {
    let foreground = text_on(background);
    html! {
        svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" {
            rect width="32" height="32" rx="7" fill=(background) {}
            @if let Some(initial) = initial {
                text x="16" y="23" text-anchor="middle" font-family="system-ui,sans-serif" font-size="20"
                    font-weight="700" fill=(foreground) { (initial.to_uppercase()) }
            } @else {
                path d="M10 25V8h12v17M7 25h18M18 17v.01" fill="none" stroke=(foreground) stroke-width="2.5"
                    stroke-linecap="round" stroke-linejoin="round" {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_color_is_that_of_the_pages() {
        assert!(include_str!("../pages/style.css").contains(&format!("--accent:{ACCENT};")));
    }

    #[test]
    fn the_icon_has_a_letter_or_a_door_and_no_markup_of_the_name() {
        assert!(icon(ACCENT, Some('é')).into_string().contains(">É</text>"));
        assert!(icon(ACCENT, Some('<')).into_string().contains(">&lt;</text>"));
        assert!(icon(ACCENT, None).into_string().contains("<path"));
    }
}
