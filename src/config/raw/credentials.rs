//! What `type = "credentials"` has beside the other types of providers.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One of `fields`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawField {
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) label: Option<String>,
    #[serde(rename = "type")]
    pub(in crate::config) kind: Option<String>,
    pub(in crate::config) placeholder: Option<String>,
    pub(in crate::config) autocomplete: Option<String>,
    pub(in crate::config) required: Option<bool>,
}

/// `login`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawLogin {
    pub(in crate::config) url: Option<String>,
    pub(in crate::config) method: Option<String>,
    pub(in crate::config) content_type: Option<String>,
    pub(in crate::config) headers: Option<BTreeMap<String, String>>,
    pub(in crate::config) body: Option<Value>,
    pub(in crate::config) access_token: Option<String>,
    pub(in crate::config) refresh_token: Option<String>,
    pub(in crate::config) expires_in: Option<String>,
    pub(in crate::config) expires_at: Option<String>,
    pub(in crate::config) refresh_expires_in: Option<String>,
    pub(in crate::config) refresh_expires_at: Option<String>,
    pub(in crate::config) error: Option<String>,
}

/// `profile`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawProfile {
    pub(in crate::config) url: Option<String>,
    pub(in crate::config) method: Option<String>,
    pub(in crate::config) content_type: Option<String>,
    pub(in crate::config) headers: Option<BTreeMap<String, String>>,
    pub(in crate::config) body: Option<Value>,
}

/// `user`
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawUser {
    pub(in crate::config) id: Option<String>,
    pub(in crate::config) name: Option<String>,
    pub(in crate::config) email: Option<String>,
    pub(in crate::config) image: Option<String>,
}

/// `refresh`
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table")]
pub(in crate::config) struct RawApiRefresh {
    pub(in crate::config) url: Option<String>,
    pub(in crate::config) method: Option<String>,
    pub(in crate::config) content_type: Option<String>,
    pub(in crate::config) headers: Option<BTreeMap<String, String>>,
    pub(in crate::config) body: Option<Value>,
    pub(in crate::config) cookies: Option<BTreeMap<String, String>>,
    pub(in crate::config) access_token: Option<String>,
    pub(in crate::config) refresh_token: Option<String>,
    pub(in crate::config) expires_in: Option<String>,
    pub(in crate::config) expires_at: Option<String>,
    pub(in crate::config) refresh_expires_in: Option<String>,
    pub(in crate::config) refresh_expires_at: Option<String>,
    pub(in crate::config) error: Option<String>,
}
