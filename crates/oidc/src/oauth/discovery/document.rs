//! The members of a provider's document.

use serde_json::{Map, Value};

use crate::http::origin::{endpoint, is_address};
use crate::http::url::Url;
use crate::oauth::discovery::error::DiscoveryError;

/// In bytes. Servers and proxies do not reliably support longer URLs.
pub(super) const URL_LIMIT: usize = 2048;
/// Longer lists are cut, so that the stored metadata stays small. No registry has as many entries.
const LIST_LIMIT: usize = 64;
/// In bytes. The longest registered name in any of the lists has about 30.
const LIST_ITEM_LIMIT: usize = 64;

pub(super) fn is_address_or_localhost(url: &Url) -> bool {
    let host = url.host();
    let name = host.strip_suffix('.').unwrap_or(host);
    is_address(host) || name == "localhost" || name.ends_with(".localhost")
}

/// A provider's document, whose members are read one by one.
pub(super) struct Document(pub(super) Map<String, Value>);

impl Document {
    /// A member. `null`, which several providers write, counts as absent.
    pub(super) fn member(&self, name: &'static str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn text(&self, name: &'static str) -> Result<Option<&str>, DiscoveryError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let text = value.as_str().ok_or(DiscoveryError::Malformed(name, "a string"))?;
        if text.len() > URL_LIMIT {
            return Err(DiscoveryError::Malformed(name, "at most 2048 bytes"));
        }
        Ok(Some(text))
    }

    pub(super) fn endpoint(
        &self,
        member: &'static str,
        allow_internal: bool,
    ) -> Result<Option<Url>, DiscoveryError> {
        let Some(text) = self.text(member)? else { return Ok(None) };
        let url = endpoint(text).map_err(|cause| DiscoveryError::Endpoint { member, cause })?;
        if !allow_internal && is_address_or_localhost(&url) {
            let host = url.host().to_owned();
            return Err(DiscoveryError::InternalHost { member, host });
        }
        Ok(Some(url))
    }

    pub(super) fn list(&self, name: &'static str) -> Result<Option<Vec<String>>, DiscoveryError> {
        let Some(value) = self.member(name) else { return Ok(None) };
        let items = value.as_array().ok_or(DiscoveryError::Malformed(name, "a list of strings"))?;
        let mut known = Vec::new();
        for item in items.iter().filter_map(Value::as_str) {
            if item.len() <= LIST_ITEM_LIMIT && known.len() < LIST_LIMIT {
                known.push(item.to_owned());
            }
        }
        Ok(Some(known))
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<bool, DiscoveryError> {
        self.member(name)
            .map_or(Some(false), Value::as_bool)
            .ok_or(DiscoveryError::Malformed(name, "true or false"))
    }
}
