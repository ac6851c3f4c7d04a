//! `[vars.AUTH.theme]`: whose site the pages say it is.

use super::pages::Site;
use super::shown::check_shown;
use super::site::is_plain_path;
use crate::config::place::refuse;
use crate::config::table::{Table, Text};
use crate::config::theme::{Accent, Links, MIN_CONTRAST, Scheme, Theme};
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::presets::Rgb;

pub(super) fn theme(theme: &Table<'_>, site: &Site<'_>) -> Theme {
    if let Some(name) = theme.text("name") {
        check_shown(&name);
    }
    let links = theme.table("links");
    let address = |table: &Table<'_>, key| {
        let text = table.text(key)?;
        check_address(&text, site);
        Some(text.text.to_owned())
    };
    for (key, needed) in [("logo_dark", "logo"), ("accent_dark", "accent")] {
        if theme.has(key) && !theme.has(needed) {
            refuse!(theme.at(key), "{key} needs {needed}", "write {needed}, for light pages");
        }
    }
    Theme {
        name: theme.string("name"),
        logo: address(theme, "logo"),
        logo_dark: address(theme, "logo_dark"),
        accent: accent(theme),
        links: Links {
            forgot_password: address(&links, "forgot_password"),
            sign_up: address(&links, "sign_up"),
            privacy: address(&links, "privacy"),
            support: support(&links, site),
        },
    }
}

fn accent(theme: &Table<'_>) -> Option<Accent> {
    let written = theme.text("accent")?;
    let light = color(&written)?;
    check_contrast(&written, light, Scheme::Light, "accent");
    let dark = match theme.text("accent_dark") {
        Some(written) => {
            let dark = color(&written)?;
            check_contrast(&written, dark, Scheme::Dark, "accent_dark");
            dark
        }
        // A mistake in accent_dark was noted before.
        None if theme.at("accent_dark").is_refused() => light,
        None => {
            check_contrast(&written, light, Scheme::Dark, "accent_dark");
            light
        }
    };
    Some(Accent { light, dark })
}

fn color(text: &Text<'_>) -> Option<Rgb> {
    let color = Rgb::parse(text.text);
    if color.is_none() {
        refuse!(text, "{text} is not a colour", "write it like \"#2563eb\"");
    }
    color
}

/// Refuses a colour that people with weak eyes would not see. `key` is where a better one belongs.
fn check_contrast(text: &Text<'_>, color: Rgb, scheme: Scheme, key: &str) {
    let (background, contrast) = scheme.least_contrast(color);
    if contrast >= MIN_CONTRAST {
        return;
    }
    let pages = match scheme {
        Scheme::Light => "light",
        Scheme::Dark => "dark",
    };
    let readable = scheme.readable(color);
    // Cut off, not rounded: 2.999 is not 3.00.
    let contrast = (contrast * 100.0).floor() / 100.0;
    refuse!(
        text,
        "{text} has a contrast of {contrast:.2}:1 with {background}, the background of {pages} pages, and needs \
         {MIN_CONTRAST}:1 (WCAG 2.2, criterion 1.4.11)",
        "write for example {key} = \"{readable}\""
    );
}

fn support(links: &Table<'_>, site: &Site<'_>) -> Option<String> {
    let text = links.text("support")?;
    if let Some(address) = text.text.strip_prefix("mailto:") {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b".!#$&'*+/=^_`{|}~-@".contains(&b);
        let is_good = address.len() <= 254 && address.bytes().all(is_plain);
        let parts = address.split_once('@').filter(|(name, host)| {
            !name.is_empty() && host.contains('.') && !host.contains('@') && !host.ends_with('.')
        });
        if !is_good || parts.is_none() {
            refuse!(text, "{text} is not an e-mail address", "write it like \"mailto:help@example.com\"");
        }
    } else {
        check_address(&text, site);
    }
    Some(text.text.to_owned())
}

/// Refuses an address that is neither a plain path nor an `https` URL: `javascript:` and `data:` among others.
fn check_address(text: &Text<'_>, site: &Site<'_>) {
    let is_path = text.text.starts_with('/');
    if !is_path && text.parsed(endpoint).is_none() {
        return;
    }
    let without_query = text.text.split('?').next().unwrap_or_default();
    let path = match without_query.split_once("://") {
        Some((_, rest)) => rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/"),
        None => without_query,
    };
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\'' | '<' | '>' | '\\' | '`' | '#');
    if !is_plain_path(path) || !text.text.chars().all(is_plain) {
        return refuse!(
            text,
            "{text} is not a plain path or URL; write a path like \"/logo.svg\" or an https URL, with letters, digits, \
             \"-\", \"_\", \".\" and \"~\" between single slashes"
        );
    }
    let base_path = site.base_path;
    let below = path.strip_prefix(base_path).filter(|_| is_path);
    if below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        refuse!(
            text,
            "{text} is below base_path ({base_path}), where Vestibule answers itself; choose another path"
        );
    }
}
