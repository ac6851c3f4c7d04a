//! `[vars.AUTH.theme]`

use super::Kind::{Table, Text};
use super::{Keys, keys};

pub(in crate::config) const THEME: Keys = &[keys! {
    /// The name of the site or of its owner, in the title of each page and above its heading.
    name: Text, unset = "the host", example = "Acme", needs = "at most 100 bytes";
    /// The logo above the heading: the path of a picture on the host of `login_url`, or else on each host, or a URL. A path is
    /// public without a rule.
    logo: Text, unset = "no logo", example = "/logo.svg", needs = "a picture that everyone may see; `https` for a URL";
    /// The same for dark pages.
    logo_dark: Text, unset = "`logo`", example = "/logo-dark.svg", needs = "`logo`";
    /// The colour of buttons, icons and checkboxes. The text on it is black or white, whichever is easier to read.
    accent: Text, unset = "blue", example = "#2563eb",
        needs = "a contrast of 3:1 with the light pages, and with the dark pages unless there is `accent_dark` (WCAG 2.2, criterion 1.4.11)";
    /// The same on dark pages.
    accent_dark: Text, unset = "`accent`", example = "#7aa7ff", needs = "`accent`; a contrast of 3:1 with the dark pages";
    /// Where people find what these pages do not have.
    links: Table(LINKS);
}];

const LINKS: Keys = &[keys! {
    /// Below the fields of a `credentials` provider: a path, which is on the host of `login_url` where there is one and is public
    /// without a rule, or a URL.
    forgot_password: Text, unset = "no link", example = "/forgot-password", needs = "a plain path that no rule guards, or an `https` URL";
    /// Below all ways to sign in.
    sign_up: Text, unset = "no link", example = "/sign-up", needs = "as `forgot_password`";
    /// At the foot of each page.
    privacy: Text, unset = "no link", example = "https://example.com/privacy", needs = "as `forgot_password`";
    /// At the foot of each page. A `mailto:` address, too.
    support: Text, unset = "no link", example = "mailto:help@example.com", needs = "as `forgot_password`, or `mailto:` and an address";
}];
