//! Parameters in braces, such as `{tenant}`: they are replaced when the configuration is loaded.

use crate::config::check::{names, secrets};
use crate::config::place::{Env, refuse};
use crate::config::table::{Table, Text};
use vestibule_oidc::http::origin::endpoint;
use vestibule_oidc::http::url::Url;
use vestibule_oidc::presets;

/// The name of the variable for a provider's parameter, and its value where it is set.
pub(in crate::config::check::providers) fn variable(
    id: &str,
    key: &str,
    env: Env<'_>,
) -> (String, Option<String>) {
    debug_assert!(
        names::PROVIDER_VARIABLES.contains(&key),
        "{key} is missing in PROVIDER_VARIABLES, so the reference lacks it"
    );
    let name = variable_name(id, key);
    let value = secrets::variable(env, &name);
    (name, value)
}

/// The parameters of one provider.
pub(super) struct Parameters<'a> {
    pub(super) id: &'a str,
    /// The table of the provider.
    pub(super) provider: &'a Table<'a>,
    /// Without the slash at its end, so that a path can follow.
    issuer: Option<String>,
    origin: Option<String>,
}

/// The value of a parameter, and where it was set.
pub(super) struct Given {
    /// The name of the key or the variable.
    name: String,
    is_variable: bool,
    value: String,
}

impl Given {
    /// The value, with its place.
    pub(super) fn text<'a>(&'a self, provider: &'a Table<'_>) -> Text<'a> {
        let place =
            if self.is_variable { provider.place.variable(&self.name) } else { provider.at(&self.name) };
        Text { text: &self.value, place }
    }
}

impl<'a> Parameters<'a> {
    pub(super) fn new(id: &'a str, provider: &'a Table<'a>) -> Self {
        Self { id, provider, issuer: None, origin: None }
    }

    /// A variable's name, and its value.
    pub(super) fn variable(&self, key: &str) -> (String, Option<String>) {
        variable(self.id, key, self.provider.place.loading.env)
    }

    /// The issuer, once it is known.
    pub(super) fn set_issuer(&mut self, issuer: &str, url: &Url) {
        self.issuer = Some(issuer.strip_suffix('/').unwrap_or(issuer).to_owned());
        self.origin = Some(url.origin().to_owned());
    }

    /// The value of a key; without it, the value of its variable.
    pub(super) fn given(&self, key: &str) -> Option<Given> {
        if let Some(value) = self.provider.string(key) {
            return Some(Given { name: key.to_owned(), is_variable: false, value });
        }
        let (name, value) = self.variable(key);
        Some(Given { name, is_variable: true, value: value? })
    }

    /// The value of a parameter that is required, as a part of a URL or of a token.
    pub(super) fn required(&self, key: &str) -> Option<String> {
        let Some(given) = self.given(key) else {
            self.refuse_missing(key);
            return None;
        };
        let value = &given.value;
        let is_good = (1..=253).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
            && !value.contains("..");
        let text = given.text(self.provider);
        // The same parameter may be used several times; one message is enough.
        if !is_good && !text.place.is_refused() {
            refuse!(text, "{text} cannot be part of a URL", "use letters, digits, \".\", \"-\" and \"_\"");
        }
        is_good.then_some(given.value)
    }

    /// Notes, once, that a parameter is missing.
    pub(super) fn refuse_missing(&self, key: &str) {
        let place = self.provider.at(key);
        if place.is_refused() {
            return;
        }
        let preset = self.provider.str("preset");
        let (name, _) = self.variable(key);
        let example = || Some(presets::preset(preset?)?.get("example")?.get(key)?.to_string());
        let like = if let Some(example) = example() { format!(" like {example}") } else { String::new() };
        match preset {
            Some(preset) => {
                refuse!(place, "the preset {preset:?} needs this key", "write it{like}, here or in {name}");
            }
            None => {
                refuse!(place, "this key is missing, and {{{key}}} is used", "write it, here or in {name}");
            }
        }
        place.loading.problems.note_variable(&name);
    }

    /// A text with its parameters replaced. Other braces stay; those of a secret are a mistake: the text is, or may be, a
    /// part of a URL.
    pub(super) fn fill(&self, text: &Text<'_>) -> Option<String> {
        secrets::refuse_in_url(text);
        self.fill_template(text)
    }

    /// A text that is a template with its parameters replaced. No parameter's value has braces, so the template has
    /// placeholders only where the text has them.
    pub(super) fn fill_template(&self, text: &Text<'_>) -> Option<String> {
        let mut filled = String::with_capacity(text.text.len());
        let mut rest = text.text;
        while let Some((before, behind)) = rest.split_once('{') {
            filled.push_str(before);
            rest = behind;
            match behind.split_once('}') {
                Some((name, behind)) if names::PARAMETERS.contains(&name) => {
                    let value = self.value(name, text)?;
                    if value.contains(['{', '}']) {
                        refuse!(text, "the value of {{{name}}} has a brace");
                    }
                    filled.push_str(&value);
                    rest = behind;
                }
                _ => filled.push('{'),
            }
        }
        filled.push_str(rest);
        Some(filled)
    }

    /// The value that replaces `{name}`.
    fn value(&self, name: &str, at: &Text<'_>) -> Option<String> {
        let value = match name {
            // The check of the client reports a missing one.
            "client_id" => return self.provider.string("client_id").or_else(|| self.variable("id").1),
            "issuer" => self.issuer.clone(),
            "origin" => self.origin.clone(),
            key => self.required(key),
        };
        if value.is_none() && matches!(name, "issuer" | "origin") {
            self.refuse_missing("issuer");
        }
        if value.is_none() && !self.provider.place.is_refused() {
            refuse!(at, "{{{name}}} has no value here; write {name}, or remove it from this text");
        }
        value
    }

    /// The URL at a key.
    pub(super) fn url(&self, table: &Table<'_>, key: &str) -> Option<Url> {
        self.filled_url(&table.text(key)?)
    }

    /// A text as a URL, with its parameters replaced.
    pub(super) fn filled_url(&self, text: &Text<'_>) -> Option<Url> {
        text.with(&self.fill(text)?).parsed(endpoint)
    }
}

/// `AUTH_ACME_EU` for `acme-eu`.
pub(in crate::config::check::providers) fn variable_prefix(id: &str) -> String {
    let letter = |c: char| if c == '-' { '_' } else { c.to_ascii_uppercase() };
    "AUTH_".chars().chain(id.chars().map(letter)).collect()
}

/// `AUTH_ACME_EU_CLIENT_ID` for the key `client_id` of `acme-eu`.
fn variable_name(id: &str, key: &str) -> String {
    let mut name = variable_prefix(id);
    name.push('_');
    name.extend(key.chars().map(|c| c.to_ascii_uppercase()));
    name
}
