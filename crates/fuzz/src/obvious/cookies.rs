//! Cookies, as RFC 6265 and Auth.js's parser read them.

use super::percent_decoded;

/// The cookies of `Cookie` fields: position, name, value.
pub(crate) fn cookies(fields: &[&str]) -> Vec<(usize, String, String)> {
    let mut found = Vec::new();
    let mut position = 0;
    for field in fields {
        let mut text = String::new();
        for c in field.chars().chain([';']) {
            if c != ';' {
                text.push(c);
                continue;
            }
            if position < 400
                && let Some(equals) = text.find('=')
            {
                let name = text[..equals].trim_matches([' ', '\t']);
                let value = text[equals + 1..].trim_matches([' ', '\t']);
                if !name.is_empty() {
                    let value = percent_decoded(value).unwrap_or_else(|| value.to_owned());
                    found.push((position, name.to_owned(), value));
                }
            }
            position += 1;
            text.clear();
        }
    }
    found
}

/// A cookie of `Set-Cookie` that a host sets from a folder: name, value, host, whether it includes subdomains, path.
pub(crate) fn set_cookie(
    field: &str,
    host: &str,
    folder: &str,
) -> Option<(String, String, String, bool, String)> {
    let trim = |text: &str| text.trim_matches([' ', '\t']).to_owned();
    let mut parts = field.split(';');
    let (name, value) = parts.next()?.split_once('=')?;
    let (mut domain, mut path) = (None, None);
    for part in parts {
        let (attribute, value) = part.split_once('=').unwrap_or((part, ""));
        match trim(attribute).to_ascii_lowercase().as_str() {
            // The last one counts.
            "domain" => domain = Some(trim(value).to_ascii_lowercase()),
            "path" => path = Some(trim(value)),
            _ => {}
        }
    }
    let path = path.filter(|path| path.starts_with('/')).unwrap_or_else(|| folder.to_owned());
    let domain = domain.map(|domain| domain.strip_prefix('.').unwrap_or(&domain).to_owned());
    let covers = |domain: &String| !domain.is_empty() && format!(".{host}").ends_with(&format!(".{domain}"));
    let (host, with_subdomains) = match domain.filter(covers) {
        Some(domain) => (domain, true),
        None => (host.to_owned(), false),
    };
    Some((trim(name), trim(value), host, with_subdomains, path))
}
