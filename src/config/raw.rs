//! The configuration as it is written: every key that it can have, each with its type and nothing more.
//!
//! Keys of features to come are known here too, so that a misspelled one gets its hint; `check` refuses what
//! this version cannot do.

mod credentials;
mod shape;
mod value;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::error::{Place, Problems};
pub(super) use credentials::{RawApiRefresh, RawField, RawLogin, RawProfile, RawUser};
use shape::read;
pub(super) use value::{Asked, Scalar, Span, Strings};

/// `[vars.AUTH]`. Items of arrays keep their index: those that could not be read are left out.
#[derive(Default)]
pub(super) struct RawAuth {
    pub(super) base_path: Option<String>,
    pub(super) dialect: Option<String>,
    pub(super) default_access: Option<String>,
    pub(super) login_url: Option<String>,
    pub(super) trusted_hosts: Option<Strings>,
    pub(super) cookies: RawCookies,
    pub(super) session: RawSession,
    pub(super) claims: BTreeMap<String, String>,
    pub(super) providers: Vec<(usize, RawProvider)>,
    pub(super) refresh: RawRefresh,
    pub(super) rules: Vec<(usize, RawRule)>,
    pub(super) upstreams: Vec<(usize, RawUpstream)>,
    pub(super) pages: RawPages,
    pub(super) secret: Option<IgnoredAny>,
}

/// `[vars.AUTH.cookies]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawCookies {
    pub(super) domain: Option<String>,
}

/// `[vars.AUTH.session]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawSession {
    pub(super) max_age: Option<Span>,
    pub(super) update_age: Option<Span>,
    pub(super) absolute_max_age: Option<Span>,
    pub(super) expose: Option<BTreeMap<String, String>>,
    pub(super) updatable: Option<Strings>,
}

/// `[[vars.AUTH.providers]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawProvider {
    pub(super) id: Option<String>,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) name: Option<String>,
    pub(super) issuer: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<IgnoredAny>,
    pub(super) scope: Option<Strings>,
    pub(super) token_endpoint_auth_method: Option<String>,
    pub(super) authorization_params: Option<BTreeMap<String, Scalar>>,
    pub(super) strict_rotation: Option<bool>,
    pub(super) allow: Option<BTreeMap<String, Asked>>,
    pub(super) authorization: Option<IgnoredAny>,
    pub(super) token: Option<IgnoredAny>,
    pub(super) userinfo: Option<IgnoredAny>,
    pub(super) fields: Option<Vec<RawField>>,
    pub(super) login: Option<RawLogin>,
    pub(super) profile: Option<RawProfile>,
    pub(super) user: Option<RawUser>,
    pub(super) refresh: Option<RawApiRefresh>,
}

/// `[vars.AUTH.refresh]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRefresh {
    pub(super) lease: Option<String>,
    pub(super) leeway: Option<Span>,
}

/// `[[vars.AUTH.rules]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawRule {
    #[serde(rename = "match")]
    pub(super) patterns: Option<Strings>,
    pub(super) host: Option<String>,
    pub(super) methods: Option<Strings>,
    pub(super) access: Option<String>,
    pub(super) require: Option<BTreeMap<String, Asked>>,
    pub(super) email_domain: Option<Strings>,
    pub(super) deny: Option<String>,
    pub(super) has: Option<Vec<RawCondition>>,
    pub(super) missing: Option<Vec<RawCondition>>,
    pub(super) to: Option<String>,
    pub(super) authorization: Option<String>,
    pub(super) headers: Option<BTreeMap<String, String>>,
}

/// An item of a rule's `has` or `missing`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawCondition {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) key: Option<String>,
    pub(super) value: Option<String>,
}

/// `[[vars.AUTH.upstreams]]`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawUpstream {
    pub(super) host: Option<String>,
    pub(super) to: Option<String>,
    pub(super) authorization: Option<String>,
    pub(super) headers: Option<BTreeMap<String, String>>,
    pub(super) forward_session: Option<bool>,
}

/// `[vars.AUTH.pages]`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(super) struct RawPages {
    pub(super) sign_in: Option<String>,
    pub(super) sign_out: Option<String>,
    pub(super) error: Option<String>,
}

impl RawAuth {
    /// Reads every section by itself, so that what is wrong in one does not hide what is wrong in another.
    pub(super) fn read(auth: &Map<String, Value>, problems: &mut Problems) -> Self {
        let mut sections = Sections { auth, known: Vec::new(), problems };
        let raw = Self {
            base_path: sections.section("base_path"),
            dialect: sections.section("dialect"),
            default_access: sections.section("default_access"),
            login_url: sections.section("login_url"),
            trusted_hosts: sections.section("trusted_hosts"),
            cookies: sections.section("cookies").unwrap_or_default(),
            session: sections.section("session").unwrap_or_default(),
            claims: sections.section("claims").unwrap_or_default(),
            providers: sections.list("providers"),
            refresh: sections.section("refresh").unwrap_or_default(),
            rules: sections.list("rules"),
            upstreams: sections.list("upstreams"),
            pages: sections.section("pages").unwrap_or_default(),
            secret: sections.section("secret"),
        };
        sections.refuse_unknown();
        raw
    }
}

struct Sections<'a> {
    auth: &'a Map<String, Value>,
    known: Vec<&'static str>,
    problems: &'a mut Problems,
}

impl<'a> Sections<'a> {
    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.known.push(key);
        self.auth.get(key).filter(|value| !value.is_null())
    }

    fn section<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        let value = self.value(key)?;
        read(value, &Place::root().key(key), self.problems)
    }

    fn list<T: DeserializeOwned>(&mut self, key: &'static str) -> Vec<(usize, T)> {
        let place = Place::root().key(key);
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => {
                let item = |(i, item)| Some((i, read(item, &place.index(i), self.problems)?));
                items.iter().enumerate().filter_map(item).collect()
            }
            Some(_) => {
                self.problems
                    .refuse(&place, format!("expected an array of tables, written [[vars.AUTH.{key}]]"));
                Vec::new()
            }
        }
    }

    fn refuse_unknown(self) {
        // `secret` is known only to be refused with a better word.
        let known: Vec<&str> = self.known.iter().copied().filter(|key| *key != "secret").collect();
        for key in self.auth.keys().filter(|key| !self.known.contains(&key.as_str())) {
            self.problems.unknown_key(&Place::root().key(key), key, &known);
        }
    }
}
