//! What a refresh says about a session's user, and what it does not say.
//!
//! A sign-in says everything: what is missing does not exist. A refresh may say less: a token response without an ID
//! token, or an API's response without the user. So a claim that is missing is removed only where it would have to be.

use serde_json::{Map, Value};

use crate::config::Config;
use crate::session::claims::Session;
use crate::session::own_claims::is_own_claim;
use crate::session::refreshed_tokens::ClaimChanges;
use crate::session::step_up::{AUTHENTICATION, authentication_claims, keep_authentication};
use vestibule_oidc::data::{DataPath, Source};
use vestibule_oidc::oauth::email::EmailVerification;

/// A session's user after a refresh.
pub(crate) struct RefreshedUser<'a> {
    pub(crate) session: &'a Session,
    /// The roots of the data that the refresh brought completely.
    complete: Vec<&'static str>,
    /// Those of [`STANDARD`] that come from other data.
    unknown: Vec<&'static str>,
}

/// The claims that every provider has sources for, and their names in the data of a sign-in.
const STANDARD: [(&str, &str); 3] = [("name", "name"), ("email", "email"), ("picture", "image")];

impl<'a> RefreshedUser<'a> {
    /// The user of `session` after a refresh that brought the data at the `complete` roots. `sources` are those of the
    /// name, the e-mail address and the picture.
    pub(crate) fn new(
        session: &'a Session,
        complete: Vec<&'static str>,
        sources: [Option<&Source>; 3],
    ) -> Self {
        let mut user = Self { session, complete, unknown: Vec::new() };
        for ((claim, _), source) in STANDARD.into_iter().zip(sources) {
            if source.is_some_and(|source| !user.has_all_of(source)) {
                user.unknown.push(claim);
            }
        }
        user
    }

    /// Whether the refresh brought all data that `source` reads.
    pub(crate) fn has_all_of(&self, source: &Source) -> bool {
        source.paths().iter().all(|path| self.is_known(path))
    }

    /// Notes that this standard claim is unknown.
    pub(crate) fn forget(&mut self, claim: &'static str) {
        self.unknown.push(claim);
    }

    /// Whether the refresh says what is at this path: if there is nothing, it does not exist.
    pub(crate) fn is_known(&self, path: &DataPath) -> bool {
        match path.root() {
            "user" => {
                let field = STANDARD.iter().find(|(_, field)| path.rest().next() == Some(*field));
                field.is_none_or(|(claim, _)| !self.unknown.contains(claim))
            }
            // They describe the authentication, and a later ID token may leave them out.
            "profile" | "id_token" if path.rest().next().is_some_and(is_about_authentication) => false,
            root => self.complete.contains(&root),
        }
    }

    /// Adds to the data about the user the name, the e-mail address and the picture that stay in the session, because the
    /// refresh does not say them. The result is what is known about the address, if that stays.
    pub(crate) fn add_kept(&self, user: &mut Map<String, Value>) -> Option<EmailVerification> {
        let mut verification = None;
        for (claim, field) in STANDARD {
            let is_missing = user.get(field).is_none_or(Value::is_null);
            if let (true, true, Some(kept)) =
                (is_missing, self.unknown.contains(&claim), self.session.claims().get(claim))
            {
                user.insert(field.to_owned(), kept.clone());
                if claim == "email" {
                    let stated = self.session.claims().get("email_verified");
                    verification = Some(EmailVerification::of_claim(stated));
                }
            }
        }
        verification
    }

    /// The configured claims that stay: the refresh does not bring what they are read from, and none is in `stated`.
    pub(crate) fn kept_claims(
        &self,
        stated: &[(String, Value)],
        configured: &[(String, DataPath)],
    ) -> Vec<(String, Value)> {
        let is_stated = |claim: &str| stated.iter().any(|(name, _)| name == claim);
        let stays = |(claim, from): &&(String, DataPath)| !is_stated(claim) && !self.is_known(from);
        let kept = |claim: &String| Some((claim.clone(), self.session.claims().get(claim)?.clone()));
        configured.iter().filter(stays).filter_map(|(claim, _)| kept(claim)).collect()
    }

    /// The session's claims, with `new` ones in place of those that follow the user.
    pub(crate) fn session_claims(&self, new: Map<String, Value>, config: &Config) -> Map<String, Value> {
        let mut claims = self.session.claims().clone();
        let mut authentication = authentication_claims(&new);
        keep_authentication(self.session.claims(), &mut authentication);
        claims.retain(|claim, _| !AUTHENTICATION.contains(&claim.as_str()));
        claims.extend(authentication);
        for lost in self.lost(&new, config) {
            claims.remove(&lost);
        }
        for (claim, value) in new {
            let is_token = matches!(claim.as_str(), "access_token" | "refresh_token" | "expires_at");
            if is_token || !stays(&claim, config) {
                claims.insert(claim, value);
            }
        }
        claims
    }

    /// The changes that lead from the session to `claims`.
    pub(crate) fn changes(&self, mut claims: Map<String, Value>, config: &Config) -> ClaimChanges {
        let old = self.session.claims();
        let is_of_another_authentication =
            AUTHENTICATION.iter().any(|name| claims.get(*name) != old.get(*name));
        let stays = |claim: &String| {
            if AUTHENTICATION.contains(&claim.as_str()) {
                return !is_of_another_authentication;
            }
            stays(claim, config)
        };
        claims.retain(|claim, _| !stays(claim));
        let names = old.keys().chain(config.claims.iter().map(|(claim, _)| claim));
        let mut removed: Vec<String> =
            names.cloned().chain(STANDARD.map(|(claim, _)| claim.to_owned())).collect();
        removed.push("email_verified".to_owned());
        removed.retain(|claim| !claims.contains_key(claim) && !stays(claim));
        removed.sort_unstable();
        removed.dedup();
        ClaimChanges { set: claims, removed }
    }

    /// The claims that the user no longer has.
    fn lost(&self, new: &Map<String, Value>, config: &Config) -> Vec<String> {
        let mut lost: Vec<String> = Vec::new();
        for (claim, _) in STANDARD {
            if !self.unknown.contains(&claim) {
                lost.push(claim.to_owned());
            }
        }
        for (claim, from) in &config.claims {
            if self.is_known(from) {
                lost.push(claim.clone());
            }
        }
        // What is known about an address is about that address only.
        let old = self.session.email();
        let is_other_email = new.get("email").is_some_and(|email| Some(email) != old);
        if is_other_email || lost.iter().any(|claim| claim == "email") {
            lost.push("email_verified".to_owned());
        }
        lost.retain(|claim| !new.contains_key(claim) && !stays(claim, config));
        lost
    }
}

fn is_about_authentication(claim: &str) -> bool {
    matches!(claim, "acr" | "amr" | "auth_time" | "nonce" | "sid")
}

/// Whether a refresh leaves this claim as it is: it is about the session and not about the user, or a page may change it.
fn stays(claim: &str, config: &Config) -> bool {
    let updatable = &config.session.updatable;
    let is_updatable = |name: &str| updatable.iter().any(|known| known == name);
    is_own_claim(claim) || is_updatable(claim) || claim == "email_verified" && is_updatable("email")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn source(path: &str) -> Source {
        Source::Path(DataPath::parse(path).unwrap())
    }

    fn object(value: &Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn session() -> Session {
        Session::new(object(&json!({
            "name": "Ada", "email": "ada@example.com", "email_verified": true, "picture": "ada.png",
            "plan": "pro", "team": "red",
        })))
    }

    #[test]
    fn a_refresh_knows_what_its_data_say_and_nothing_else() {
        let session = session();
        let [name, email] = ["profile.name", "access_token.email"].map(source);
        let mut user =
            RefreshedUser::new(&session, vec!["access_token", "id_token"], [Some(&name), Some(&email), None]);
        let known = |user: &RefreshedUser<'_>, path: &str| user.is_known(&DataPath::parse(path).unwrap());
        for (path, is_known) in [
            ("user.name", false),
            ("user.email", true),
            ("user.image", true),
            ("user.plan", true),
            ("profile.plan", false),
            ("access_token.plan", true),
            ("access_token.acr", true),
            ("id_token.plan", true),
            // They are of a sign-in.
            ("id_token.acr", false),
            ("id_token.auth_time", false),
        ] {
            assert_eq!(known(&user, path), is_known, "{path}");
        }
        user.forget("email");
        assert!(!known(&user, "user.email") && known(&user, "user.image"));
    }

    #[test]
    fn what_a_refresh_does_not_say_of_the_user_stays_with_what_is_known_of_the_address() {
        let session = session();
        let [name, email] = ["profile.name", "access_token.email"].map(source);
        let mut user = RefreshedUser::new(&session, vec!["access_token"], [Some(&name), Some(&email), None]);
        let mut data = object(&json!({ "email": null }));
        assert_eq!(user.add_kept(&mut data), None);
        assert_eq!(Value::from(data), json!({ "name": "Ada", "email": null }));
        user.forget("email");
        let mut data = object(&json!({ "name": "Ada Lovelace", "email": null }));
        assert_eq!(user.add_kept(&mut data), Some(EmailVerification::Verified));
        assert_eq!(Value::from(data), json!({ "name": "Ada Lovelace", "email": "ada@example.com" }));
    }

    #[test]
    fn a_configured_claim_stays_where_the_refresh_does_not_bring_what_it_is_from() {
        let session = session();
        let user = RefreshedUser::new(&session, vec!["access_token"], [None, None, None]);
        let claim = |name: &str, path: &str| (name.to_owned(), DataPath::parse(path).unwrap());
        let configured = [
            claim("plan", "profile.plan"),
            claim("team", "access_token.team"),
            claim("level", "profile.level"),
        ];
        let kept = |stated: &[(&str, Value)]| {
            let stated: Vec<_> =
                stated.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
            user.kept_claims(&stated, &configured)
        };
        assert_eq!(kept(&[]), [("plan".to_owned(), json!("pro"))]);
        assert_eq!(kept(&[("plan", json!("free"))]), []);
    }
}
