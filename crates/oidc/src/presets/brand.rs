//! The brand colours of providers.

use std::fmt;

/// The colours of a button. Some are darker than the provider's own, so that its text is readable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brand {
    /// The background.
    pub background: Rgb,
    /// The text.
    pub text: Rgb,
}

impl Brand {
    /// Parses two colours in the form `#1a73e8`.
    pub fn of(background: &str, text: &str) -> Option<Self> {
        Some(Self { background: Rgb::parse(background)?, text: Rgb::parse(text)? })
    }
}

/// A colour of sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// Parses the form `#1a73e8`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self(red, green, blue))
    }

    /// The contrast ratio of two colours, from 1 to 21 (Web Content Accessibility Guidelines 2.2, "contrast ratio").
    pub fn contrast(self, other: Self) -> f64 {
        let (one, other) = (self.luminance() + 0.05, other.luminance() + 0.05);
        one.max(other) / one.min(other)
    }

    /// The relative luminance, from 0 to 1 (WCAG 2.2, "relative luminance").
    fn luminance(self) -> f64 {
        let Self(red, green, blue) = self;
        let linear = |channel: u8| match f64::from(channel) / 255.0 {
            low if low <= 0.04045 => low / 12.92,
            high => ((high + 0.055) / 1.055).powf(2.4),
        };
        0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    }

    /// This colour with so much of another one, in percent.
    #[must_use]
    pub fn mixed(self, other: Self, percent: u8) -> Self {
        let share = u32::from(percent.min(100));
        let mix = |one: u8, other: u8| {
            let mixed = (u32::from(one) * (100 - share) + u32::from(other) * share + 50) / 100;
            u8::try_from(mixed).unwrap_or(u8::MAX)
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

/// The form of CSS: `#1a73e8`.
impl fmt::Display for Rgb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(red, green, blue) = self;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contrast_is_that_of_the_guidelines() {
        let (white, black) = (Rgb(255, 255, 255), Rgb(0, 0, 0));
        assert!((white.contrast(black) - 21.0).abs() < 1e-9 && (black.contrast(black) - 1.0).abs() < 1e-9);
        // The lightest grey that text may have on white.
        assert!(white.contrast(Rgb(0x76, 0x76, 0x76)) >= 4.5 && white.contrast(Rgb(0x77, 0x77, 0x77)) < 4.5);
    }

    #[test]
    fn a_mixture_begins_at_one_colour_and_ends_at_the_other() {
        let (blue, white) = (Rgb(0, 10, 255), Rgb(255, 255, 255));
        assert_eq!(blue.mixed(white, 0), blue);
        assert_eq!(blue.mixed(white, 50), Rgb(128, 133, 255));
        assert_eq!((blue.mixed(white, 100), blue.mixed(white, 200)), (white, white));
    }

    #[test]
    fn a_colour_is_parsed_and_written_in_the_form_of_css() {
        assert_eq!(Rgb(0x0a, 0, 0xff).to_string(), "#0a00ff");
        assert_eq!(Rgb::parse("#0a00ff"), Some(Rgb(0x0a, 0, 0xff)));
        for bad in ["", "#fff", "0a00ff", "#0a00fg", "#0a00ff0", "#+a00ff", "red", "#é0000"] {
            assert_eq!(Rgb::parse(bad), None, "{bad}");
        }
    }
}
