//! The colours that people know a provider by.

use std::fmt;

/// A button's colours; darkened, where it takes that, until text can be read on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brand {
    /// What is written on.
    pub background: Rgb,
    /// What is written with.
    pub text: Rgb,
}

impl Brand {
    /// Of two colours as CSS writes them.
    pub fn of(background: &str, text: &str) -> Option<Self> {
        Some(Self { background: Rgb::parse(background)?, text: Rgb::parse(text)? })
    }
}

/// A colour of sRGB: red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rgb(pub u8, pub u8, pub u8);

impl Rgb {
    /// Reads `#1a73e8`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#')?;
        if digits.len() != 6 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        let [_, red, green, blue] = u32::from_str_radix(digits, 16).ok()?.to_be_bytes();
        Some(Self(red, green, blue))
    }
}

/// As CSS writes it: `#1a73e8`.
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
        /// Web Content Accessibility Guidelines 2.2, success criterion 1.4.3.
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
    fn a_colour_is_read_and_written_as_css_writes_it() {
        assert_eq!(Rgb(0x0a, 0, 0xff).to_string(), "#0a00ff");
        assert_eq!(Rgb::parse("#0a00ff"), Some(Rgb(0x0a, 0, 0xff)));
        for bad in ["", "#fff", "0a00ff", "#0a00fg", "#0a00ff0", "#+a00ff", "red", "#é0000"] {
            assert_eq!(Rgb::parse(bad), None, "{bad}");
        }
    }
}
