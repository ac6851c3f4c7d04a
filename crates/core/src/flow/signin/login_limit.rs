//! How many sign-in forms are sent on to your own API: a guesser tries a few passwords, not thousands.
//!
//! Three things are counted. The tight limit is for one account from one address, so a guesser does not keep the account's
//! owner out, who is somewhere else, nor a user the others of an office behind one address. The loose limits are for one
//! address, which tries many accounts, and for one account, which many addresses try. A form that one of them stops is not
//! counted by the next: one address that guesses at one account does not use up the loose limits.

use std::pin::pin;
use std::time::Duration;

use crate::config::Provider;
use crate::error::TooManyAttemptsError;
use crate::flow::RequestContext;
use crate::flow::attempts::{WINDOW, network_of};
use crate::flow::form_context::RouteParams;
use crate::log::{LogEvent, Record};
use crate::platform::{Limit, Platform, StoreError, Unicode, within};
use vestibule_oidc::http::response::Response;
use vestibule_oidc::jose::kdf::derive_id;

/// How many forms for one account one address may send in [`WINDOW`], where the runtime does not count them.
const MAX_OF_ACCOUNT_AT_ADDRESS: u32 = 10;

/// How many forms one address may send in [`WINDOW`], and how many may be sent for one account, where the runtime does not
/// count them. An office may have one address.
const MAX_LOOSE: u32 = 100;

/// How long the runtime's limiter may take. It answers from memory, in less than a millisecond.
const LIMITER_TIMEOUT: Duration = Duration::from_secs(1);

/// What is hashed, so that no key is one of another purpose.
const PURPOSE: &str = "Vestibule login limit";

impl<P: Platform> RequestContext<'_, P> {
    /// Counts one more form for this account, and stops it if there are too many. `account` is the name that the user typed,
    /// in its parts; empty if the form has none.
    pub(super) async fn check_login_limit(
        &self,
        provider: &Provider,
        account: &[&str],
    ) -> Result<(), TooManyAttemptsError> {
        let parts: Vec<String> = account.iter().map(|part| folded(self.platform, part)).collect();
        let account = (!parts.is_empty()).then(|| parts.join("\n"));
        let network = self.client_address().map(network_of);
        let key = |what: &str, account: &str, network: &str| {
            let secret = self.config().keys.newest_secret();
            derive_id(secret, PURPOSE, format!("{}\0{what}\0{account}\0{network}", provider.id).as_bytes())
        };
        if let (Some(account), Some(network)) = (&account, &network) {
            let key = key("account at address", account, network);
            if !self.is_within_login_limit(provider, Limit::Login, &key).await {
                return Err(TooManyAttemptsError::OfAccountAtAddress);
            }
        }
        if let Some(network) = &network {
            let key = key("address", "", network);
            if !self.is_within_login_limit(provider, Limit::LoginLoose, &key).await {
                return Err(TooManyAttemptsError::OfAddress);
            }
        }
        if let Some(account) = &account {
            let key = key("account", account, "");
            if !self.is_within_login_limit(provider, Limit::LoginLoose, &key).await {
                return Err(TooManyAttemptsError::OfAccount);
            }
        }
        Ok(())
    }

    async fn is_within_login_limit(&self, provider: &Provider, limit: Limit, key: &str) -> bool {
        let asked = pin!(self.platform.is_within_limit(limit, key));
        let answer = within(self.platform, LIMITER_TIMEOUT, asked)
            .await
            .unwrap_or_else(|| Err(StoreError::Failed("it did not answer in time".to_owned())));
        let error = match answer {
            Ok(is_within) => return is_within,
            Err(error) => error,
        };
        // A limiter that fails lets users sign in; this process still counts.
        let attempts = &self.vestibule.login_attempts;
        if !matches!(error, StoreError::Missing(_)) && attempts.should_log(self.now) {
            let message = format_args!("the rate limiter of sign-in forms failed: {error}");
            self.log(Record::new(LogEvent::LoginLimitFailed, message).provider(&provider.id));
        }
        let max = if limit == Limit::Login { MAX_OF_ACCOUNT_AT_ADDRESS } else { MAX_LOOSE };
        attempts.counts.count(key, max, self.now)
    }

    /// 429 to a form that was stopped: the address of the sign-in page in the form that a script reads, or a page. An app
    /// with its own sign-in page gets the user back there, with `code=rate_limited`. `answer` is what a refused form gets.
    pub(crate) fn too_many_attempts(&self, params: &RouteParams, answer: Response) -> Response {
        let mut answer = if self.is_sent_by_script(&params.form) {
            Response { status: 429, ..answer }
        } else if self.config().pages.sign_in.is_none() {
            self.too_many_attempts_page(params)
        } else {
            answer
        };
        answer.headers.set("cache-control", "private, no-store");
        answer.with("retry-after", WINDOW.as_secs().to_string())
    }
}

/// The same for all spellings of a name that an API or its database may take for one: without case, accents, spaces,
/// characters that are not seen, and the difference between a letter and its full-width or ligature form.
fn folded(unicode: &impl Unicode, name: &str) -> String {
    let is_letter =
        |c: &char| !c.is_whitespace() && !c.is_control() && !is_mark_of_letter(*c) && !is_unseen(*c);
    // By way of capitals, so that "ß" is "ss" and each sigma is the same.
    let letters: String = unicode.nfkd(name).chars().filter(is_letter).collect();
    letters.to_uppercase().chars().flat_map(char::to_lowercase).collect()
}

/// Whether it is a combining mark: an accent, in one of Unicode's blocks of them.
fn is_mark_of_letter(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}')
        || matches!(c, '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// Whether nothing is shown for it (`Default_Ignorable_Code_Point` of Unicode): databases whose comparisons follow Unicode's
/// collation leave it out.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}')
        || matches!(c, '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
        || matches!(c, '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}')
        || matches!(c, '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}
