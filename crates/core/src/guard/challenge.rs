//! What of a challenge (RFC 6750 section 3) a resource and the rules decide: where its metadata is, and which scopes help.

use serde_json::Value;

use crate::guard::requirements::{ClaimTest, Requirement};
use crate::guard::resource::Resource;
use crate::guard::rules::RuleDecisions;
use crate::session::proven::ProvenClaims;
use crate::session::scope::{SCOPE, SCP};
use vestibule_oidc::http::response::Response;

/// The answer with the address of the resource's metadata in its challenge
/// ([RFC 9728 section 5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1)), and with the scopes that a token needs.
pub fn with_parameters(mut answer: Response, resource: &Resource, scopes: &[String]) -> Response {
    let challenge = answer.headers.get("www-authenticate").unwrap_or("Bearer");
    let separator = if challenge.contains(' ') { "," } else { "" };
    let mut challenge = format!("{challenge}{separator} resource_metadata=\"{}\"", resource.metadata_url());
    if !scopes.is_empty() {
        challenge = format!("{challenge}, scope=\"{}\"", scopes.join(" "));
    }
    answer.headers.set("www-authenticate", challenge);
    answer
}

/// The scopes that a client without enough of them asks for: what the rules ask, and what its token has already of this
/// resource. A client replaces its token by the new one, and must not lose what it may do elsewhere.
pub fn scope_to_ask_for(
    resource: &Resource,
    asked: Vec<String>,
    claims: Option<&ProvenClaims<'_>>,
) -> Vec<String> {
    let mut scopes = asked;
    let granted = claims.and_then(|claims| claims.get(SCOPE));
    for scope in &resource.scopes {
        let is_granted = granted.is_some_and(|granted| grants(granted, scope));
        if is_granted && !scopes.contains(scope) {
            scopes.push(scope.clone());
        }
    }
    scopes
}

impl RuleDecisions<'_> {
    /// The scopes that the rules ask for: of several of which one is enough, the first. Every reading of the path counts.
    pub fn scopes(&self) -> Vec<String> {
        let mut scopes: Vec<String> = Vec::new();
        for asked in self.requirements().filter_map(scopes_of).filter_map(|asked| asked.first()?.as_str()) {
            if !scopes.iter().any(|known| known == asked) {
                scopes.push(asked.to_owned());
            }
        }
        scopes
    }

    /// Whether a token with these claims has too few scopes.
    pub fn lacks_scope(&self, claims: &ProvenClaims<'_>) -> bool {
        self.requirements().any(|asked| scopes_of(asked).is_some() && !asked.is_met(claims))
    }

    fn requirements(&self) -> impl Iterator<Item = &Requirement> {
        self.readings().flat_map(|reading| reading.access.requirements())
    }
}

/// The scopes of which a requirement asks for one; `None` if it asks for something else.
pub fn scopes_of(requirement: &Requirement) -> Option<&[Value]> {
    match requirement {
        Requirement::Claim(asked)
            if matches!(asked.claim.root(), SCOPE | SCP) && asked.claim.rest().next().is_none() =>
        {
            match &asked.test {
                ClaimTest::AnyOf(values) => Some(values),
                ClaimTest::NoneOf(_) | ClaimTest::Exists(_) => None,
            }
        }
        _ => None,
    }
}

/// Whether a claim names the scope: in a list, or in a text with spaces between scopes (RFC 6749 section 3.3).
fn grants(claim: &Value, scope: &str) -> bool {
    match claim {
        Value::String(text) => text.split(' ').any(|one| one == scope),
        Value::Array(list) => list.iter().any(|one| one == scope),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_scope_is_granted_by_one_item_of_a_list_or_by_one_word_of_a_text() {
        for claim in [json!("read write"), json!(["read", "write"])] {
            assert!(grants(&claim, "read") && grants(&claim, "write"), "{claim}");
            assert!(
                !grants(&claim, "rea") && !grants(&claim, "read write") && !grants(&claim, ""),
                "{claim}"
            );
        }
        assert!(!grants(&json!({ "read": true }), "read") && !grants(&json!(null), "read"));
    }
}
