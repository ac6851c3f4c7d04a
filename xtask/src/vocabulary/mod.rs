//! The project's words: names and phrases that it used once, and what it says now. One word for one thing, in the
//! terms of the specifications; the check fails where an old one comes back.

mod names;
mod prose;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::project::Project;

/// Where an old name may not be declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Declared {
    /// Anywhere: as an item, a variant, a field, a parameter or a local variable.
    Anywhere,
    /// As an item, a variant or a field. The word is an ordinary one for a local variable.
    AsItem,
    /// As a module or a file. The word is an ordinary one for anything else.
    AsModule,
}

use Declared::{Anywhere, AsItem, AsModule};

/// Names of Rust items and what they are called now.
const NAMES: &[(&str, Declared, &str)] = &[
    ("Exchange", AsItem, "RequestContext"),
    ("Flights", Anywhere, "InFlightRefreshes"),
    ("flights", Anywhere, "refreshes"),
    ("Flight", Anywhere, "RefreshAttempt"),
    ("flight", Anywhere, "attempt"),
    ("board", Anywhere, "join"),
    ("fly", Anywhere, "run"),
    ("Flying", Anywhere, "InFlight"),
    ("land", Anywhere, "complete"),
    ("Landed", Anywhere, "Completed"),
    ("Front", Anywhere, "Leader"),
    ("Successor", Anywhere, "RefreshedTokens"),
    ("successor", Anywhere, "tokens"),
    ("Taken", Anywhere, "Acquisition"),
    ("look", AsItem, "find"),
    ("look_again", Anywhere, "find_after_invalid_grant"),
    ("leave", AsItem, "publish"),
    ("give_back", Anywhere, "release"),
    ("Theirs", Anywhere, "HeldByOther"),
    ("theirs", AsItem, "holder"),
    ("Yours", Anywhere, "Acquired"),
    ("Ready", AsItem, "FreshSession"),
    ("NotReady", Anywhere, "RefreshError"),
    ("News", Anywhere, "CookieUpdate"),
    ("news", Anywhere, "cookie_update"),
    ("due", AsItem, "needs_refresh"),
    ("PATIENCE", Anywhere, "MAX_WAIT"),
    ("patience", Anywhere, "deadline"),
    ("MOST_HOPS", Anywhere, "MAX_GENERATIONS"),
    ("Gone", Anywhere, "InvalidGrant"),
    ("gone", Anywhere, "invalid_grant_errors"),
    ("GRANT_IS_GONE", Anywhere, "REFRESH_TOKEN_ERROR"),
    ("Standing", Anywhere, "HostRole"),
    ("standing", Anywhere, "host_role"),
    ("SignsIn", Anywhere, "Login"),
    ("SendsTo", Anywhere, "Member"),
    ("Told", Anywhere, "ForwardAuthHeaders"),
    ("NotTold", Anywhere, "ForwardAuthError"),
    ("told", Anywhere, "what was sent, or said"),
    ("Asked", Anywhere, "SiteCache"),
    ("asked", AsItem, "site_cache"),
    ("Visit", Anywhere, "FormContext"),
    ("visit", AsItem, "form_context"),
    ("Input", AsItem, "RouteParams"),
    ("hand_over", Anywhere, "handoff"),
    ("establish", Anywhere, "create_session"),
    ("Established", Anywhere, "CreatedSession"),
    ("recognize", Anywhere, "session_from_token"),
    ("judged", Anywhere, "authorize_sign_in"),
    ("Judged", Anywhere, "SignInDecision"),
    ("Person", Anywhere, "Identity"),
    ("Who", Anywhere, "Principal"),
    ("who", AsItem, "principal"),
    ("Doubtful", Anywhere, "Invalid"),
    ("is_borne", Anywhere, "is_bearer"),
    ("Refusal", Anywhere, "DenialReason"),
    ("Refused", Anywhere, "Denied"),
    ("PathRefused", Anywhere, "PathError"),
    ("kept", AsModule, "cache"),
    ("Turn", Anywhere, "FetchDecision"),
    ("Trial", Anywhere, "Attempt"),
    ("trial", Anywhere, "attempt"),
    ("Asker", Anywhere, "Requester"),
    ("asker", Anywhere, "requester"),
    ("blame", Anywhere, "provider_error"),
    ("unproven_payload", Anywhere, "decode_unverified"),
    ("Opened", Anywhere, "SessionCache"),
    ("opened", AsModule, "cache"),
    ("Presented", Anywhere, "SessionCookie"),
    ("glue", Anywhere, "bridge"),
    ("lines", AsModule, "header_wire"),
    ("task", AsModule, "executor"),
    ("words", AsItem, "error_message"),
    ("to_the_end", Anywhere, "run_to_completion"),
    ("pass_on", Anywhere, "forward_streaming"),
    ("Upstreamed", Anywhere, "UpstreamResponse"),
    ("Reply", AsItem, "Outcome"),
    ("lay_under", Anywhere, "with_preset_defaults"),
    ("lay_over", Anywhere, "merge"),
    ("Span", AsItem, "Duration"),
    ("Flag", AsItem, "Bool"),
    ("Unnamed", AsItem, "Hidden"),
    ("api", AsModule, "credentials"),
    ("mend", Anywhere, "fix"),
    ("dice", Anywhere, "random"),
    ("Dice", Anywhere, "SeededRandom"),
    ("whoever", Anywhere, "anyone who"),
    ("World", AsItem, "TestEnv"),
    ("Stage", AsItem, "TestEnv"),
    ("Scene", AsItem, "TestEnv"),
];

/// Keys of the configuration and events of the log as they were, which no code writes between quotes any more.
const STRINGS: &[(&str, &str)] = &[
    ("gone", "invalid_grant_errors"),
    ("enforce", "authorization_param_claims"),
    ("complete", "derived_image"),
    ("signed_secret", "client_secret_from_key"),
    ("callback_profile", "callback_profile_param"),
    ("blame", "error_source"),
    ("session_refused", "session_cookie_invalid"),
    ("path_refused", "path_rejected"),
    ("verify_refused", "forward_auth_rejected"),
    ("assertion_failed", "assertion_not_signed"),
    ("bearer_refused", "bearer_token_rejected"),
    ("foreign_host", "host_outside_site"),
    ("client_log", "client_error_reported"),
    ("sign_out_not_remembered", "sign_out_not_stored"),
    ("sign_out_unknown", "sign_out_check_failed"),
    ("grant_gone", "refresh_token_invalid"),
    ("lease_not_given_back", "lease_not_released"),
    ("successor_not_left", "refreshed_tokens_not_stored"),
    ("provider_document_kept", "provider_metadata_stale"),
    ("claim_absent", "claim_missing"),
    ("emails_refused", "emails_request_failed"),
    ("refresh_token_absent", "refresh_token_missing"),
    ("sign_in_not_handed_over", "sign_in_handoff_failed"),
    ("not_signed_out_at_provider", "provider_logout_failed"),
    ("session_not_renewed", "session_too_large"),
];

/// Phrases that say to a reader less than plain English would, in documents, comments and messages.
const PHRASES: &[(&str, &str)] = &[
    ("whoever", "anyone who"),
    ("whomever", "anyone whom"),
    ("the mend", "how to fix it"),
    ("the dice", "the random source"),
    ("nobody is", "no one is"),
    ("is not to be had", "is unavailable"),
    ("are not to be had", "are unavailable"),
    ("goes by", "depends on"),
    ("go by", "depend on"),
    ("a token that lives", "a valid token"),
    ("still lives", "is still valid"),
    ("no longer lives", "is no longer valid"),
    ("does not do", "is not enough, or is not allowed"),
    ("do not do", "are not enough, or are not allowed"),
    ("of one's own", "your own"),
    ("leaves word", "publishes"),
    ("for want of", "without"),
    ("who has no", "a user without"),
    ("signs nobody in", "does not sign in"),
    ("is no JSON", "is not JSON"),
    ("grant is gone", "refresh token is no longer valid"),
    ("does not belong into", "does not belong in"),
];

/// Directories that hold nothing of ours to read, or only text that others write.
const SKIPPED: &[&str] =
    &["target", "node_modules", ".git", "fixtures", "vectors", "build", ".wrangler", ".next", ".venv"];

/// The files that list old words because that is what they are about.
const EXEMPT: &[&str] = &["xtask/src/vocabulary/mod.rs", "xtask/src/vocabulary/tests.rs", "CHANGELOG.md"];

/// Fails with every old word in the project's files, and what to say instead.
pub(crate) fn check(project: &Project) -> Result<()> {
    let root = project.path("");
    let mut problems = Vec::new();
    check_directory(&root, &root, &mut problems)?;
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n\n{} old words", problems.join("\n"), problems.len())
}

fn check_directory(root: &Path, directory: &Path, problems: &mut Vec<String>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    for path in paths {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let shown = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if path.is_dir() {
            if !SKIPPED.contains(&name) && !path.is_symlink() {
                check_directory(root, &path, problems)?;
            }
            continue;
        }
        let kind = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if !matches!(kind, "rs" | "md" | "js" | "mjs" | "ts" | "tsx" | "toml")
            || EXEMPT.contains(&shown.as_str())
        {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {shown}"))?;
        problems.extend(problems_in(&shown, kind, &text)?);
    }
    Ok(())
}

/// The old words in one file, each with its place.
fn problems_in(file: &str, kind: &str, text: &str) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    let stem = file.rsplit('/').next().unwrap_or(file).split('.').next().unwrap_or_default();
    for (old, _, new) in NAMES.iter().filter(|(old, ..)| *old == stem) {
        problems.push(format!("{file}: a file called `{old}`: call it `{new}`"));
    }
    if kind == "rs" {
        problems.extend(names::problems(file, text)?);
    }
    problems.extend(prose::problems(file, kind, text));
    Ok(problems)
}
