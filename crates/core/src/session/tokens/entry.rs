//! The entry with a session's tokens in the store, and what the cookie says of it.
//!
//! An entry never changes, and each has a name of its own: two processes that refresh one session at once write two
//! entries, and the cookies of both stay good. Its name and the key that seals it are derived from the session's key, a
//! random one that only the cookie has.

use serde_json::{Map, Value, json};

use vestibule_oidc::jose::base64url;
use vestibule_oidc::jose::jwe::{self, ContentEncryption, SealedJwe};
use vestibule_oidc::jose::kdf::{Keyring, Purpose, derive_id};
use vestibule_oidc::json;
use vestibule_oidc::secret::Secret;
use vestibule_oidc::time::Timestamp;

/// The claim of the cookie that says where the tokens are.
pub(crate) const CLAIM: &str = "token_entry";

/// What the entries' names, and the keys that seal them, are derived for.
const PURPOSE: &str = "Vestibule token entry";

/// The longest entry that is read, in characters.
const MAX_ENTRY: usize = 1024 * 1024;

/// What the cookie says of the entry with its tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TokenEntry {
    key: Secret,
    /// Makes the entry's name unique.
    id: String,
    /// When the generation of these tokens began.
    pub(crate) begins: Timestamp,
    /// The names of the claims that it holds.
    pub(crate) holds: Vec<String>,
}

/// The content of an entry.
#[derive(Clone, PartialEq)]
pub(crate) struct EntryContent {
    /// The claims.
    pub(crate) tokens: Map<String, Value>,
    /// The name of the entry that came before it in the same session.
    pub(crate) previous: Option<String>,
}

impl TokenEntry {
    /// A new entry that holds these claims, under the session's key.
    pub(crate) fn new(
        key: Secret,
        holds: Vec<String>,
        begins: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Self {
        let mut id = [0; 16];
        random(&mut id);
        Self { key, id: base64url::encode(&id), begins, holds }
    }

    /// What the claims of a session say.
    pub(crate) fn of(claims: &Map<String, Value>) -> Option<Self> {
        let entry = claims.get(CLAIM)?;
        let text = |name: &str| entry.get(name)?.as_str().filter(|text| !text.is_empty());
        Some(Self {
            key: Secret::new(text("key")?),
            id: text("id")?.to_owned(),
            begins: Timestamp::from_seconds(entry.get("at")?.as_u64()?),
            holds: held(claims).into_iter().map(str::to_owned).collect(),
        })
    }

    /// The claim for the cookie.
    pub(crate) fn to_claim(&self) -> Value {
        json!({ "key": self.key.expose(), "id": self.id, "at": self.begins.seconds(), "holds": self.holds })
    }

    /// The session's key.
    pub(crate) fn key(&self) -> &Secret {
        &self.key
    }

    /// The name of the entry in the store. Only a holder of the cookie can compute it, and it reveals nothing.
    pub(crate) fn name(&self, sid: &str, generation: u64) -> String {
        let value = format!("{generation} {} {sid}", self.id);
        format!("tokens/{}", derive_id(&self.key, PURPOSE, value.as_bytes()))
    }

    /// Seals the claims for the entry of this session and generation.
    pub(crate) fn seal(
        &self,
        (sid, generation): (&str, u64),
        content: &EntryContent,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> String {
        let content = json!({
            "sid": sid, "generation": generation, "tokens": content.tokens, "previous": content.previous,
        });
        seal(&self.key, &self.name(sid, generation), &content, random)
    }

    /// Opens what is in the store. `None` unless it was sealed for exactly this entry.
    pub(crate) fn open(&self, (sid, generation): (&str, u64), sealed: &str) -> Option<EntryContent> {
        let mut content = open(&self.key, &self.name(sid, generation), sealed)?;
        let is_own = content.get("sid").and_then(Value::as_str) == Some(sid)
            && content.get("generation").and_then(Value::as_u64) == Some(generation);
        let Some(Value::Object(tokens)) = content.remove("tokens").filter(|_| is_own) else { return None };
        let previous = content.get("previous").and_then(Value::as_str).map(str::to_owned);
        Some(EntryContent { tokens, previous })
    }
}

/// The names of the claims that the entry of a session with these claims holds.
pub(crate) fn held(claims: &Map<String, Value>) -> Vec<&str> {
    let holds = claims.get(CLAIM).and_then(|entry| entry.get("holds")).and_then(Value::as_array);
    holds.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Lets the claims of a session say that its entry holds nothing but what refreshes it. They are for no cookie then.
pub(crate) fn forget(claims: &mut Map<String, Value>) {
    let is_of_grant = |name: &Value| matches!(name.as_str(), Some("refresh_token" | "api_cookies"));
    if let Some(Value::Array(holds)) = claims.get_mut(CLAIM).and_then(|entry| entry.get_mut("holds")) {
        holds.retain(is_of_grant);
    }
}

/// A new key for a session.
pub(crate) fn new_key(random: &mut dyn FnMut(&mut [u8])) -> Secret {
    let mut key = [0; 32];
    random(&mut key);
    Secret::new(base64url::encode(&key))
}

/// The key of a session whose cookie has none, because its tokens were in the cookie when it began. All processes compute
/// the same one, so that those with an older cookie find the newer tokens.
pub(crate) fn derived_key(secret: &Secret, sid: &str) -> Secret {
    let half = |purpose: &str| derive_id(secret, purpose, sid.as_bytes());
    Secret::new(format!("{}{}", half("Vestibule token key 1"), half("Vestibule token key 2")))
}

/// Seals `content` by a session's key. The name is authenticated with it: it is in the protected header, which is the
/// additional data of the encryption (RFC 7516 section 5.1, step 14).
pub(crate) fn seal(key: &Secret, name: &str, content: &Value, random: &mut dyn FnMut(&mut [u8])) -> String {
    let Some(keys) = Keyring::new(vec![key.clone()]) else { return String::new() };
    let key = keys.newest(&purpose(name));
    jwe::seal(&key.key, Some(name), content.to_string().as_bytes(), random)
}

/// Opens what [`seal`] sealed under this name.
pub(crate) fn open(key: &Secret, name: &str, sealed: &str) -> Option<Map<String, Value>> {
    let sealed = SealedJwe::parse_up_to(sealed, MAX_ENTRY).ok()?;
    if sealed.kid() != Some(name) {
        return None;
    }
    let keys = Keyring::new(vec![key.clone()])?;
    json::object(&sealed.open(&keys.newest(&purpose(name)).key).ok()?)
}

fn purpose(name: &str) -> Purpose<'_> {
    Purpose { encryption: ContentEncryption::A256Gcm, salt: name, info: PURPOSE }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn random() -> impl FnMut(&mut [u8]) {
        let mut state = 1_u8;
        move |bytes| {
            for byte in bytes {
                state = state.wrapping_mul(5).wrapping_add(77);
                *byte = state;
            }
        }
    }

    fn entry() -> TokenEntry {
        let random = &mut random();
        TokenEntry::new(new_key(random), vec!["access_token".to_owned()], Timestamp::from_seconds(9), random)
    }

    fn content() -> EntryContent {
        let tokens = json!({ "access_token": "at" }).as_object().unwrap().clone();
        EntryContent { tokens, previous: Some("tokens/x".to_owned()) }
    }

    #[test]
    fn an_entry_opens_for_its_own_session_generation_and_key_only() {
        let entry = entry();
        let sealed = entry.seal(("s", 3), &content(), &mut random());
        assert!(entry.open(("s", 3), &sealed) == Some(content()));
        assert!(entry.open(("s", 4), &sealed).is_none() && entry.open(("t", 3), &sealed).is_none());
        let other_key = TokenEntry { key: Secret::new("another"), ..entry.clone() };
        let other_id = TokenEntry { id: "another".to_owned(), ..entry.clone() };
        assert!(other_key.open(("s", 3), &sealed).is_none() && other_id.open(("s", 3), &sealed).is_none());
        for garbage in ["", "1", "null", "a.b.c.d.e", &sealed[1..], &format!("{sealed}A")] {
            assert!(entry.open(("s", 3), garbage).is_none(), "{garbage}");
        }
    }

    #[test]
    fn the_name_is_authenticated_and_reveals_nothing() {
        let entry = entry();
        let name = entry.name("s", 3);
        assert_eq!(name.len(), "tokens/".len() + 22);
        for other in [entry.name("s", 4), entry.name("t", 3)] {
            assert_ne!(name, other);
        }
        // The same key, but another name in the header.
        let sealed = seal(entry.key(), "tokens/other", &json!({ "a": 1 }), &mut random());
        assert!(open(entry.key(), "tokens/other", &sealed).is_some());
        assert!(open(entry.key(), &name, &sealed).is_none());
        let header = |name: &str| {
            base64url::encode(format!(r#"{{"alg":"dir","enc":"A256GCM","kid":"{name}"}}"#).as_bytes())
        };
        let renamed = sealed.replace(&header("tokens/other"), &header(&name));
        assert_ne!(renamed, sealed);
        assert!(open(entry.key(), &name, &renamed).is_none());
    }

    #[test]
    fn the_claim_of_the_cookie_leads_back_to_the_entry() {
        let claims = |value: Value| Map::from_iter([(CLAIM.to_owned(), value)]);
        assert_eq!(TokenEntry::of(&claims(entry().to_claim())), Some(entry()));
        for none in
            [json!(null), json!("x"), json!({}), json!({ "key": "", "id": "i", "at": 1, "holds": [] })]
        {
            assert_eq!(TokenEntry::of(&claims(none)), None);
        }
        assert!(!format!("{:?}", entry()).contains(entry().key.expose()));
    }

    #[test]
    fn a_derived_key_depends_on_the_secret_and_the_session() {
        let (a, b) = (Secret::new("a"), Secret::new("b"));
        assert_eq!(derived_key(&a, "s"), derived_key(&a, "s"));
        assert!(derived_key(&a, "s") != derived_key(&a, "t") && derived_key(&a, "s") != derived_key(&b, "s"));
        assert_eq!(derived_key(&a, "s").expose().len(), 44);
    }

    #[test]
    fn work_bombs_an_entry_of_more_than_a_megabyte_is_not_read() {
        let opens = |length: usize| {
            let tokens = Map::from_iter([("access_token".to_owned(), Value::from("x".repeat(length)))]);
            let sealed = entry().seal(("s", 3), &EntryContent { tokens, previous: None }, &mut random());
            entry().open(("s", 3), &sealed).is_some()
        };
        // In the store, four characters stand for three.
        assert_eq!([20_000, 800_000].map(opens), [true, false]);
    }

    #[test]
    fn an_entry_that_says_it_is_of_another_session_or_generation_does_not_open() {
        let entry = entry();
        let opens = |sid: &str, generation: u64| {
            let content = json!({ "sid": sid, "generation": generation, "tokens": {}, "previous": null });
            let sealed = seal(entry.key(), &entry.name("s", 3), &content, &mut random());
            entry.open(("s", 3), &sealed).is_some()
        };
        assert!(opens("s", 3));
        assert!(!opens("t", 3) && !opens("s", 4));
    }
}
