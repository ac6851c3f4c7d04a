//! What is believed of a proxy that asks about a request.

use super::Env;
use super::secrets::{self, variable};
use crate::config::error::{Place, Problems};
use crate::config::raw::RawVerify;
use crate::config::verify::{Told, VerifyConfig};
use crate::secret::Secret;

const SECRET: &str = "AUTH_VERIFY_SECRET";

/// `sealing` are the secrets that seal sessions.
pub(super) fn verify(
    raw: &RawVerify<'_>,
    sealing: &[Secret],
    env: Env<'_>,
    problems: &mut Problems,
) -> VerifyConfig {
    const TOLD: [(&str, Option<Told>); 3] =
        [("x-forwarded", Some(Told::XForwarded)), ("x-original", Some(Told::XOriginal)), ("none", None)];
    let place = Place::root().key("verify");
    let headers = raw.headers;
    let told = headers.and_then(|text| problems.chosen(&place.key("headers"), text, &TOLD));
    if raw.secret.is_some() {
        problems.refuse_and_mend(
            &place.key("secret"),
            secrets::IN_A_FILE,
            format!("remove it, make a new one with `openssl rand -hex 32` and set it with `wrangler secret put {SECRET}`"),
        );
    }
    // Without a word about proxies there are none, whatever is among the secrets.
    let secret = headers.and_then(|_| variable(env, SECRET));
    if let Some(secret) = &secret {
        check_secret(secret, sealing, problems);
    } else if headers.is_some() {
        problems.refuse_and_mend(
            &Place::env(SECRET),
            "missing: without it anybody could say what the proxy says",
            format!(
                "make one with `openssl rand -hex 32`, set it with `wrangler secret put {SECRET}`, and have the \
                 proxy send it as X-Vestibule-Verify"
            ),
        );
    }
    VerifyConfig { told: told.flatten(), secret: secret.map(Secret::new) }
}

fn check_secret(secret: &str, sealing: &[Secret], problems: &mut Problems) {
    const MEND: &str = "make one with `openssl rand -hex 32`";
    let place = Place::env(SECRET);
    if secret.len() < secrets::SHORTEST_SECRET {
        let problem = format!("shorter than {} characters", secrets::SHORTEST_SECRET);
        problems.refuse_and_mend(&place, problem, MEND);
    }
    if !secret.bytes().all(|b| b.is_ascii_graphic()) {
        problems.refuse_and_mend(
            &place,
            "it is sent in a header, and has characters that none carries",
            MEND,
        );
    }
    if sealing.iter().any(|sealing| sealing.matches(secret)) {
        let problem = "it seals sessions, too: who reads the proxy's configuration could make them";
        problems.refuse_and_mend(&place, problem, MEND);
    }
}
