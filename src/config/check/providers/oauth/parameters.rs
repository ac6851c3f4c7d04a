//! What a tenant fills in: parameters in braces, replaced when the configuration is loaded.

use crate::config::check::Env;
use crate::config::check::providers::variable_prefix;
use crate::config::check::secrets;
use crate::config::error::{Place, Problems, quoted};
use crate::config::raw::RawOAuth;
use crate::http::url::Url;
use crate::{json, providers};

/// The value of a provider's parameter that is set outside the configuration, and the variable's name.
pub(in crate::config::check::providers) fn variable(
    id: &str,
    key: &str,
    env: Env<'_>,
) -> (String, Option<String>) {
    let name = format!("{}_{}", variable_prefix(id), key.to_ascii_uppercase());
    let value = secrets::variable(env, &name);
    (name, value)
}

/// The parameters of one provider.
pub(super) struct Parameters<'a> {
    id: &'a str,
    /// The preset's id.
    pub(super) preset: Option<&'a str>,
    written: &'a RawOAuth<'a>,
    /// The provider's place.
    pub(super) place: Place,
    env: Env<'a>,
    /// Without the slash at its end, so that a path can follow.
    issuer: Option<String>,
    origin: Option<String>,
    /// Those that were missed before: once is enough.
    missed: Vec<&'static str>,
}

impl<'a> Parameters<'a> {
    pub(super) fn new(
        id: &'a str,
        preset: Option<&'a str>,
        written: &'a RawOAuth<'a>,
        place: &Place,
        env: Env<'a>,
    ) -> Self {
        Self {
            id,
            preset,
            written,
            place: place.clone(),
            env,
            issuer: None,
            origin: None,
            missed: Vec::new(),
        }
    }

    /// The value of a parameter's variable, and the variable's name.
    pub(super) fn variable(&self, key: &str) -> (String, Option<String>) {
        variable(self.id, key, self.env)
    }

    /// The issuer, once it is known.
    pub(super) fn set_issuer(&mut self, issuer: &str, url: &Url) {
        self.issuer = Some(issuer.strip_suffix('/').unwrap_or(issuer).to_owned());
        self.origin = Some(url.origin().to_owned());
    }

    /// What is written at that key, otherwise what its variable says; and where.
    pub(super) fn given(&self, key: &str) -> Option<(Place, String)> {
        let written = match key {
            "issuer" => self.written.issuer,
            "tenant" => self.written.tenant,
            "domain" => self.written.domain,
            "team_id" => self.written.team_id,
            "key_id" => self.written.key_id,
            _ => None,
        };
        if let Some(written) = written {
            return Some((self.place.key(key), written.to_owned()));
        }
        let (name, value) = variable(self.id, key, self.env);
        value.map(|value| (Place::env(&name), value))
    }

    /// The value of a parameter that has to be there: a part of a URL, or of a token.
    pub(super) fn required(&mut self, key: &'static str, problems: &mut Problems) -> Option<String> {
        let Some((place, value)) = self.given(key) else {
            self.refuse_missing(key, problems);
            return None;
        };
        let is_good = (1..=253).contains(&value.len())
            && value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':'))
            && !value.contains("..");
        if !is_good && !self.missed.contains(&key) {
            self.missed.push(key);
            let problem = format!("{} does not fit into a URL as it is", quoted(&value));
            problems.refuse_and_mend(&place, problem, "use letters, digits, \".\", \"-\" and \"_\"");
        }
        is_good.then_some(value)
    }

    /// Notes that a parameter is missing.
    pub(super) fn refuse_missing(&mut self, key: &'static str, problems: &mut Problems) {
        if self.missed.contains(&key) {
            return;
        }
        self.missed.push(key);
        let (name, _) = variable(self.id, key, self.env);
        let example = || {
            let preset = providers::preset(self.preset?)?;
            Some(format!("write it like {}", json::text(preset.get("example")?.get(key)?)))
        };
        let example = example().unwrap_or_else(|| "write it".to_owned());
        let problem = match self.preset {
            Some(preset) => format!("missing: every customer of {preset:?} has one"),
            None => format!("missing: {{{key}}} stands for it"),
        };
        problems.refuse_and_mend(&self.place.key(key), problem, format!("{example}, here or in {name}"));
    }

    /// `text` with its parameters replaced. Other braces stay.
    pub(super) fn fill(&mut self, text: &str, place: &Place, problems: &mut Problems) -> Option<String> {
        let mut filled = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once('{') {
            filled.push_str(before);
            let value = match behind.split_once('}') {
                Some((name, behind)) => self.value(name, place, problems)?.map(|value| (value, behind)),
                None => None,
            };
            if let Some((value, behind)) = value {
                filled.push_str(&value);
                rest = behind;
            } else {
                filled.push('{');
                rest = behind;
            }
        }
        filled.push_str(rest);
        Some(filled)
    }

    /// What `{name}` stands for, if it is a parameter. The outer `None` where that is missing.
    #[allow(clippy::option_option, reason = "missing and no parameter are two things")]
    fn value(&mut self, name: &str, place: &Place, problems: &mut Problems) -> Option<Option<String>> {
        let value = match name {
            "tenant" => self.required("tenant", problems),
            "domain" => self.required("domain", problems),
            "team_id" => self.required("team_id", problems),
            "key_id" => self.required("key_id", problems),
            "client_id" => {
                let of_env = || variable(self.id, "id", self.env).1;
                // Whether it is missing is said elsewhere.
                self.written.client_id.map(str::to_owned).or_else(of_env)
            }
            "issuer" | "origin" => {
                let known = if name == "issuer" { &self.issuer } else { &self.origin };
                if known.is_none() && !problems.concern(&self.place.key("issuer")) {
                    self.refuse_missing("issuer", problems);
                }
                if name == "issuer" { self.issuer.clone() } else { self.origin.clone() }
            }
            _ => return Some(None),
        };
        if value.is_none() && !problems.concern(&self.place) && name != "client_id" {
            problems.refuse(place, format!("{{{name}}} stands for nothing"));
        }
        value.map(Some)
    }
}
