//! How the pages show whose site it is: `AUTH.theme`.

use vestibule_oidc::presets::Rgb;

/// The name, logo, colours and links of the site.
#[derive(Clone, Debug, Default)]
pub struct Theme {
    /// The name of the site or of its owner.
    pub name: Option<String>,
    /// The logo: a path or an `https` URL.
    pub logo: Option<String>,
    /// The logo on dark pages, if it is another one.
    pub logo_dark: Option<String>,
    /// The accent colours, if they are not the usual ones.
    pub accent: Option<Accent>,
    /// The links.
    pub links: Links,
}

/// Links on the pages: paths, `https` URLs, or for `support` a `mailto:` URL.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// For people who forgot their password.
    pub forgot_password: Option<String>,
    /// For people without an account.
    pub sign_up: Option<String>,
    /// The privacy policy.
    pub privacy: Option<String>,
    /// For people who need help.
    pub support: Option<String>,
}

/// The accent colour in both colour schemes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent {
    /// On light pages.
    pub light: Rgb,
    /// On dark pages.
    pub dark: Rgb,
}

/// A colour scheme of the pages (Media Queries Level 5, `prefers-color-scheme`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

/// The contrast that a shape needs with what is around it (WCAG 2.2, success criterion 1.4.11).
pub const MIN_CONTRAST: f64 = 3.0;

impl Scheme {
    /// What is behind shapes in the accent colour: the page and the card on it. `pages/style.css` has the same colours.
    pub fn backgrounds(self) -> [Rgb; 2] {
        match self {
            Self::Light => [Rgb(0xf3, 0xf5, 0xf8), Rgb(0xff, 0xff, 0xff)],
            Self::Dark => [Rgb(0x0e, 0x11, 0x16), Rgb(0x18, 0x1c, 0x22)],
        }
    }

    /// The background with which `color` has the least contrast, and that contrast.
    pub fn least_contrast(self, color: Rgb) -> (Rgb, f64) {
        let [first, second] = self.backgrounds();
        let (one, other) = (color.contrast(first), color.contrast(second));
        if other < one { (second, other) } else { (first, one) }
    }

    /// The colour nearest to `color` that has enough contrast: darker on light pages, lighter on dark ones.
    pub fn readable(self, color: Rgb) -> Rgb {
        let end = match self {
            Self::Light => Rgb(0, 0, 0),
            Self::Dark => Rgb(0xff, 0xff, 0xff),
        };
        let mixed = (0..=100).map(|percent| color.mixed(end, percent));
        mixed.into_iter().find(|mixed| self.least_contrast(*mixed).1 >= MIN_CONTRAST).unwrap_or(end)
    }
}

/// The colour of text on `background`: white or black, whichever has more contrast. It is always 4.5 or more.
pub fn text_on(background: Rgb) -> Rgb {
    let (white, black) = (Rgb(0xff, 0xff, 0xff), Rgb(0, 0, 0));
    if background.contrast(white) >= background.contrast(black) { white } else { black }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STYLE: &str = include_str!("../flow/pages/style.css");

    #[test]
    fn the_backgrounds_are_those_of_the_style_sheet() {
        let (light, rest) = STYLE.split_once("@media (prefers-color-scheme:dark)").unwrap();
        let (dark, _) = rest.split_once("}}").unwrap();
        for (scheme, css) in [(Scheme::Light, light), (Scheme::Dark, dark)] {
            let [back, card] = scheme.backgrounds();
            // The style sheet writes white in three digits.
            let css = css.replace("#fff;", "#ffffff;");
            assert!(css.contains(&format!("--back:{back};")), "{scheme:?}: {back}");
            assert!(css.contains(&format!("--card:{card};")), "{scheme:?}: {card}");
        }
    }

    #[test]
    fn the_readable_color_has_just_enough_contrast() {
        let blue = Rgb(0x1d, 0x4e, 0xd8);
        assert_eq!(Scheme::Light.readable(blue), blue);
        for (scheme, color) in [
            (Scheme::Dark, blue),
            (Scheme::Light, Rgb(0xff, 0xff, 0)),
            (Scheme::Light, Rgb(0xff, 0xff, 0xff)),
            (Scheme::Dark, Rgb(0, 0, 0)),
        ] {
            assert!(scheme.least_contrast(color).1 < MIN_CONTRAST);
            let (_, contrast) = scheme.least_contrast(scheme.readable(color));
            assert!((MIN_CONTRAST..3.3).contains(&contrast), "{color} {contrast}");
        }
    }

    #[test]
    fn text_on_any_color_is_readable() {
        for step in 0..4096_u32 {
            let channel = |shift: u32| u8::try_from((step >> shift & 0xf) * 0x11).unwrap();
            let color = Rgb(channel(8), channel(4), channel(0));
            assert!(text_on(color).contrast(color) >= 4.5, "{color}");
        }
    }
}
