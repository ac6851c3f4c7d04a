//! Providers' documents in the store, for runtimes whose processes may be too short-lived to remember them.
//!
//! A stored document counts as if this process had fetched it when it was fetched: the same ages bound it, and it is read by the
//! same rules. It is sealed with the site's secret, and says which provider's it is, of which address and from when. So
//! anyone who can write to the store cannot make keys, cannot hand over those of another provider, and can keep a withdrawn key
//! only as long as a process that remembers it.
//!
//! Beside the keys is when an unknown key last let a process fetch them, so that such fetches are rare in all processes
//! together, also while the provider fails.

use std::pin::pin;
use std::time::Duration;

use serde_json::Value;

use super::cache::{DocumentId, Published, UNKNOWN_KEY_THROTTLE, USABLE_FOR, unknown_key_pause};
use crate::flow::RequestContext;
use crate::flow::vestibule::Vestibule;
use crate::platform::{Platform, within};
use crate::session::dialect::Dialect;
use crate::session::seal;
use vestibule_oidc::http::client::FetchResponse;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::jose::kdf::{Keyring, derive_id};
use vestibule_oidc::json;
use vestibule_oidc::time::Timestamp;

/// Separates the key from those of cookies.
const SALT: &str = "vestibule.provider-document";

/// What is hashed for the name in the store, so that no name is one of another purpose.
const PURPOSE: &str = "Vestibule provider document";

/// The largest document that is stored, in bytes. A larger one is fetched each time.
const MAX_DOCUMENT: usize = 64 * 1024;

/// The largest sealed document, in characters: its JSON as a text in JSON, in base64url.
const MAX_SEALED: usize = 4 * MAX_DOCUMENT;

/// How long a request waits for the store before it asks the provider. A store beside the process answers in milliseconds.
const MAX_WAIT: Duration = Duration::from_millis(250);

/// The kind of what is stored beside keys. No document is of this kind.
const UNKNOWN_KEY: &str = "unknown key";

/// How far ahead another process's clock may be.
const CLOCK_TOLERANCE: Duration = Duration::from_mins(1);

impl<P: Platform> RequestContext<'_, P> {
    /// Reads a document from the store into the cache, if the cache has none of this age.
    pub(super) async fn read_stored(&self, document: DocumentId<'_>, age: Duration) {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        if !cache.may_read_store(document, age, platform.now()) {
            return;
        }
        let keys = &self.config().keys;
        let name = document.name(keys);
        let read = pin!(platform.read_store(&name));
        match within(platform, MAX_WAIT, read).await {
            Some(Ok(Some(sealed))) => {
                let Some(stored) = document.open(&sealed, keys, platform.now()) else { return };
                let at = stored.at;
                if let Some(published) = stored.read(document, self.vestibule) {
                    cache.with(document.provider, |cached| cached.adopt(published, at));
                }
            }
            Some(Ok(None)) => {}
            Some(Err(_)) | None => cache.store_failed(platform.now()),
        }
    }

    /// How long from now on no unknown key lets any process fetch these keys. If one may, records that this process does.
    pub(super) async fn unknown_key_pause_of_all(&self, document: DocumentId<'_>) -> Option<Duration> {
        let (platform, cache) = (self.platform, &self.vestibule.providers);
        let now = platform.now();
        if cache.has_store_failed(now) {
            return None;
        }
        let keys = &self.config().keys;
        let name = document.attempt_name(keys);
        let read = pin!(platform.read_store(&name));
        let Some(Ok(sealed)) = within(platform, MAX_WAIT, read).await else {
            cache.store_failed(platform.now());
            return None;
        };
        let last = sealed.and_then(|sealed| document.open_attempt(&sealed, keys, now));
        let pause = last.and_then(|at| unknown_key_pause(at, now));
        if pause.is_none() {
            let random = &mut |bytes: &mut [u8]| platform.fill_random(bytes);
            let sealed = document.seal_attempt(keys, now, random);
            let write = pin!(platform.write_store(&name, &sealed, UNKNOWN_KEY_THROTTLE));
            // Before the fetch, which takes longer. Without it the fetches of this process are rare all the same.
            let _ = within(platform, MAX_WAIT, write).await;
        }
        pause
    }
}

/// Stores a document that was fetched at this time, unless the store has just failed. That it cannot be stored is no error: the
/// provider has it.
pub(super) async fn write(
    document: DocumentId<'_>,
    answer: &FetchResponse,
    at: Timestamp,
    vestibule: &Vestibule,
    platform: &impl Platform,
) {
    if vestibule.providers.has_store_failed(platform.now()) {
        return;
    }
    let keys = &vestibule.config.keys;
    let random = &mut |bytes: &mut [u8]| platform.fill_random(bytes);
    let Some(sealed) = document.seal(answer, at, keys, platform.now(), random) else { return };
    let _ = platform.write_store(&document.name(keys), &sealed, USABLE_FOR).await;
}

/// A document that was opened.
struct StoredDocument {
    /// When its fetch began.
    at: Timestamp,
    body: String,
}

impl DocumentId<'_> {
    /// Its name in the store. Other sites with the same store have others.
    fn name(&self, keys: &Keyring) -> String {
        let name = format!("{}\n{}\n{}", self.kind.name(), self.provider, self.url);
        format!("document/{}", derive_id(keys.newest_secret(), PURPOSE, name.as_bytes()))
    }

    /// The name in the store of when an unknown key last caused a fetch of it.
    fn attempt_name(&self, keys: &Keyring) -> String {
        format!("{}/unknown-key", self.name(keys))
    }

    /// That an unknown key causes a fetch of it now.
    fn seal_attempt(&self, keys: &Keyring, now: Timestamp, random: &mut dyn FnMut(&mut [u8])) -> String {
        let claims = json::of(&[
            ("kind", UNKNOWN_KEY.into()),
            ("provider", self.provider.into()),
            ("url", self.url.into()),
            ("began_at", now.millis().into()),
        ]);
        seal::seal(keys, Dialect::AuthJsV5, SALT, &claims, UNKNOWN_KEY_THROTTLE, now, random)
    }

    /// When that was, if that is what was sealed.
    fn open_attempt(&self, sealed: &str, keys: &Keyring, now: Timestamp) -> Option<Timestamp> {
        let claims = seal::open_up_to(MAX_SEALED, keys, SALT, sealed, now).ok()?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let expected = [("kind", UNKNOWN_KEY), ("provider", self.provider), ("url", self.url)];
        if expected.iter().any(|(name, value)| text(name) != Some(value)) {
            return None;
        }
        Some(Timestamp::from_millis(claims.get("began_at")?.as_u64()?).min(now))
    }

    /// `None` if the answer is too large, or no text.
    fn seal(
        &self,
        answer: &FetchResponse,
        at: Timestamp,
        keys: &Keyring,
        now: Timestamp,
        random: &mut dyn FnMut(&mut [u8]),
    ) -> Option<String> {
        let body = std::str::from_utf8(&answer.body).ok().filter(|body| body.len() <= MAX_DOCUMENT)?;
        let claims = json::of(&[
            ("kind", self.kind.name().into()),
            ("provider", self.provider.into()),
            ("url", self.url.into()),
            ("fetched_at", at.millis().into()),
            ("body", body.into()),
        ]);
        Some(seal::seal(keys, Dialect::AuthJsV5, SALT, &claims, USABLE_FOR, now, random))
    }

    /// The document, if that is what was sealed, and not longer ago than it may be used.
    fn open(&self, sealed: &str, keys: &Keyring, now: Timestamp) -> Option<StoredDocument> {
        let claims = seal::open_up_to(MAX_SEALED, keys, SALT, sealed, now).ok()?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let expected = [("kind", self.kind.name()), ("provider", self.provider), ("url", self.url)];
        if expected.iter().any(|(name, value)| text(name) != Some(value)) {
            return None;
        }
        let at = Timestamp::from_millis(claims.get("fetched_at")?.as_u64()?);
        let may_be_used = at <= now.plus(CLOCK_TOLERANCE) && now < at.plus(USABLE_FOR);
        may_be_used.then_some(StoredDocument { at: at.min(now), body: text("body")?.to_owned() })
    }
}

impl StoredDocument {
    /// Reads it as an answer of the provider: only successful ones, of JSON, are stored.
    fn read(self, document: DocumentId<'_>, vestibule: &Vestibule) -> Option<Published> {
        let headers: Headers = [("content-type", "application/json")].into_iter().collect();
        let answer = FetchResponse { status: 200, headers, body: self.body.into_bytes() };
        document.kind.read(vestibule, document.provider, &answer).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::provider::cache::DocumentKind;
    use vestibule_oidc::secret::Secret;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
    const KEYS: DocumentId<'_> =
        DocumentId { kind: DocumentKind::Keys, provider: "okta", url: "https://issuer.example/jwks" };

    fn keys(secret: &str) -> Keyring {
        Keyring::new(vec![Secret::new(secret)]).unwrap()
    }

    fn sealed(body: &[u8]) -> Option<String> {
        let answer = FetchResponse { status: 200, headers: Headers::new(), body: body.to_vec() };
        KEYS.seal(&answer, NOW, &keys("a"), NOW, &mut |bytes| bytes.fill(7))
    }

    #[test]
    fn key_confusion_a_stored_document_counts_only_as_what_it_was_fetched_as() {
        let sealed = sealed(br#"{"keys":[]}"#).unwrap();
        let opened = KEYS.open(&sealed, &keys("a"), NOW).unwrap();
        assert_eq!((opened.body.as_str(), opened.at), (r#"{"keys":[]}"#, NOW));
        for other in [
            DocumentId { kind: DocumentKind::Metadata, ..KEYS },
            DocumentId { provider: "evil", ..KEYS },
            DocumentId { url: "https://evil.example/jwks", ..KEYS },
        ] {
            assert!(other.open(&sealed, &keys("a"), NOW).is_none());
            assert_ne!(other.name(&keys("a")), KEYS.name(&keys("a")));
        }
        assert!(KEYS.open(&sealed, &keys("b"), NOW).is_none());
        let plain = r#"{"kind":"jwks","provider":"okta","url":"https://issuer.example/jwks","fetched_at":1,"body":"{}"}"#;
        assert!(KEYS.open(plain, &keys("a"), NOW).is_none());
    }

    #[test]
    fn when_an_unknown_key_caused_a_fetch_counts_only_for_these_keys() {
        let (site, random) = (keys("a"), &mut |bytes: &mut [u8]| bytes.fill(7));
        let sealed = KEYS.seal_attempt(&site, NOW, random);
        let second = Duration::from_secs(1);
        assert_eq!(KEYS.open_attempt(&sealed, &site, NOW.plus(second)), Some(NOW));
        assert_eq!(KEYS.open_attempt(&sealed, &site, NOW.minus(second)), Some(NOW.minus(second)));
        for other in
            [DocumentId { provider: "evil", ..KEYS }, DocumentId { url: "https://evil.example/jwks", ..KEYS }]
        {
            assert!(other.open_attempt(&sealed, &site, NOW).is_none());
        }
        assert!(KEYS.open_attempt(&sealed, &keys("b"), NOW).is_none());
        assert!(KEYS.open(&sealed, &site, NOW).is_none());
        assert!(KEYS.open_attempt(&self::sealed(b"{}").unwrap(), &site, NOW).is_none());
        assert_ne!(KEYS.attempt_name(&site), KEYS.name(&site));
    }

    #[test]
    fn a_stored_document_ends_a_day_after_it_was_fetched_and_none_is_younger_than_now() {
        let sealed = sealed(b"{}").unwrap();
        let second = Duration::from_secs(1);
        let open = |now: Timestamp| KEYS.open(&sealed, &keys("a"), now).map(|stored| stored.at);
        assert_eq!(open(NOW.plus(USABLE_FOR).minus(second)), Some(NOW));
        assert_eq!(open(NOW.plus(USABLE_FOR)), None);
        assert_eq!(open(NOW.minus(CLOCK_TOLERANCE)), Some(NOW.minus(CLOCK_TOLERANCE)));
        assert_eq!(open(NOW.minus(CLOCK_TOLERANCE + second)), None);
    }

    #[test]
    fn a_document_of_the_largest_size_can_be_opened_and_a_larger_one_is_not_stored() {
        // Every character of it is escaped.
        let largest = sealed(&vec![b'"'; MAX_DOCUMENT]).unwrap();
        assert!(KEYS.open(&largest, &keys("a"), NOW).is_some());
        assert!(sealed(&vec![b'"'; MAX_DOCUMENT + 1]).is_none());
        assert!(sealed(&[0xff]).is_none());
    }
}
