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

    impl Brand {
        /// The contrast ratio (Web Content Accessibility Guidelines 2.2, success criterion 1.4.3).
        pub(in crate::presets) fn contrast(self) -> f64 {
            let luminance = |Rgb(red, green, blue)| {
                let linear = |channel: u8| match f64::from(channel) / 255.0 {
                    low if low <= 0.04045 => low / 12.92,
                    high => ((high + 0.055) / 1.055).powf(2.4),
                };
                0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue) + 0.05
            };
            let (background, text) = (luminance(self.background), luminance(self.text));
            background.max(text) / background.min(text)
        }
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
