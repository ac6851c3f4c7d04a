//! What the rules said about the paths of recent requests. Every reading of a path is decided once, and not again with each
//! request to the same page.

use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use crate::guard::path::{CanonicalPath, PathError};
use crate::guard::readings::PathReadings;
use crate::guard::rules::{DecidedPlaces, RuleDecisions, RuleSet, TooMuchWorkError};
use vestibule_oidc::http::request::{Method, Request};

/// How many paths are remembered.
const MAX_PATHS: usize = 64;

/// The longest path that is remembered, with its host, in bytes. All together take at most some 100 KiB.
const MAX_LENGTH: usize = 256;

/// The paths of recent requests, the last used first. The rules and the upstreams never change as long as it exists.
#[derive(Debug, Default)]
pub(crate) struct PathMemory(RefCell<Vec<Rc<KnownPath>>>);

/// A checked path on a host, and what the rules say about it once they were asked.
#[derive(Debug)]
pub(crate) struct KnownPath {
    pub(crate) path: CanonicalPath,
    /// Whether some server reads it as one of Vestibule's own ([`CanonicalPath::may_be_below`]).
    pub(crate) may_be_own: bool,
    authority: String,
    raw: String,
    /// `None` where no rule looks at the method.
    method: Option<Method>,
    decided: OnceCell<DecidedPlaces>,
}

impl PathMemory {
    /// The path of a request, unless servers read it in ways that different rules could decide about.
    ///
    /// # Errors
    /// For a path that is rejected.
    pub(crate) fn path(
        &self,
        rules: &RuleSet,
        base_path: &str,
        request: &Request,
    ) -> Result<Rc<KnownPath>, PathError> {
        let url = &request.url;
        let method = rules.distinguishes_methods().then_some(&request.method);
        let mut known = self.0.borrow_mut();
        let is_it = |known: &Rc<KnownPath>| {
            known.raw == url.path && known.authority == url.authority && known.method.as_ref() == method
        };
        if let Some(at) = known.iter().position(is_it)
            && let Some(used) = known.get_mut(..=at)
        {
            used.rotate_right(1);
            if let Some(found) = used.first() {
                return Ok(Rc::clone(found));
            }
        }
        let path = rules.canonical_path(url)?;
        let new = Rc::new(KnownPath {
            may_be_own: path.may_be_below(base_path),
            path,
            authority: url.authority.clone(),
            raw: url.path.clone(),
            method: method.cloned(),
            decided: OnceCell::new(),
        });
        if new.raw.len() + new.authority.len() <= MAX_LENGTH {
            known.truncate(MAX_PATHS - 1);
            known.insert(0, Rc::clone(&new));
        }
        Ok(new)
    }
}

impl KnownPath {
    /// What the rules say about a request for this path, whose host's upstream reads paths so. If they look at nothing but host,
    /// path and method, they are asked once.
    pub(crate) fn decisions<'r>(
        &self,
        rules: &'r RuleSet,
        request: &Request,
        upstream: &dyn Fn() -> PathReadings,
    ) -> Result<RuleDecisions<'r>, TooMuchWorkError> {
        if !rules.look_at_address_only(request) {
            return rules.decide(request, &self.path, &upstream());
        }
        if let Some(decided) = self.decided.get().and_then(|places| rules.decisions_at(places)) {
            return Ok(decided);
        }
        let decided = rules.decide(request, &self.path, &upstream())?;
        let _ = self.decided.set(decided.places());
        Ok(decided)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guard::conditions::{Condition, Source};
    use crate::guard::decision::DefaultAccess;
    use crate::guard::matcher::Pattern;
    use crate::guard::rules::{Access, Rule};
    use vestibule_oidc::http::headers::Headers;
    use vestibule_oidc::http::origin::HostPattern;
    use vestibule_oidc::http::request::RequestUrl;

    fn rule(pattern: &str, access: Access) -> Rule {
        Rule::new("AUTH.rules[0]", vec![Pattern::parse(pattern).unwrap()], access)
    }

    fn request(method: &str, url: &str, fields: &[(&str, &str)]) -> Request {
        Request {
            method: Method::new(method),
            url: RequestUrl::parse(url).unwrap(),
            headers: fields.iter().copied().collect::<Headers>(),
        }
    }

    fn is_public(memory: &PathMemory, rules: &RuleSet, request: &Request) -> bool {
        let known = memory.path(rules, "/auth", request).unwrap();
        let decided = known.decisions(rules, request, &PathReadings::default).unwrap();
        let expected = rules.decide(request, &known.path, &PathReadings::default()).unwrap();
        assert_eq!(format!("{decided:?}"), format!("{expected:?}"));
        decided.is_public()
    }

    #[test]
    fn a_remembered_decision_is_the_one_that_the_rules_make() {
        let rules = RuleSet::new(vec![rule("/about", Access::Public)], DefaultAccess::SignedIn);
        let memory = PathMemory::default();
        for _ in 0..3 {
            for (path, expected) in [
                ("/about", true),
                ("/about/", true),
                ("/admin", false),
                ("/x/..;/about", false),
                ("/", false),
            ] {
                let request = request("GET", &format!("https://app.example.com{path}"), &[]);
                if memory.path(&rules, "/auth", &request).is_ok() {
                    assert_eq!(is_public(&memory, &rules, &request), expected, "{path}");
                }
            }
        }
    }

    #[test]
    fn a_decision_is_remembered_for_its_host_and_method_only() {
        let mut of_host = rule("/x", Access::Public);
        of_host.host = Some(HostPattern::parse("a.example.com").unwrap());
        of_host.methods = Some(vec![Method::Get]);
        let rules = RuleSet::new(vec![of_host], DefaultAccess::SignedIn);
        let memory = PathMemory::default();
        for _ in 0..2 {
            for (method, url, expected) in [
                ("GET", "https://a.example.com/x", true),
                ("POST", "https://a.example.com/x", false),
                ("GET", "https://b.example.com/x", false),
                ("GET", "https://a.example.com:8443/x", true),
            ] {
                assert_eq!(
                    is_public(&memory, &rules, &request(method, url, &[])),
                    expected,
                    "{method} {url}"
                );
            }
        }
    }

    #[test]
    fn no_decision_is_remembered_where_the_query_names_another_method() {
        let mut restricts = rule("/x", Access::SignedIn);
        restricts.methods = Some(vec![Method::new("DELETE")]);
        let rules = RuleSet::new(vec![restricts], DefaultAccess::Public);
        let memory = PathMemory::default();
        for _ in 0..2 {
            for (query, expected) in [("", true), ("?_method=DELETE", false), ("?_method=PUT", true)] {
                let request = request("POST", &format!("https://app.example.com/x{query}"), &[]);
                assert_eq!(is_public(&memory, &rules, &request), expected, "{query}");
            }
        }
    }

    #[test]
    fn no_decision_is_remembered_where_a_rule_looks_at_header_fields() {
        let mut with_field = rule("/x", Access::Public);
        with_field.has = vec![Condition { source: Source::Header("x-key".to_owned()), value: None }];
        let rules = RuleSet::new(vec![with_field], DefaultAccess::SignedIn);
        let memory = PathMemory::default();
        let url = "https://app.example.com/x";
        for _ in 0..2 {
            assert!(is_public(&memory, &rules, &request("GET", url, &[("x-key", "1")])));
            assert!(!is_public(&memory, &rules, &request("GET", url, &[])));
        }
    }

    #[test]
    fn the_memory_is_bounded() {
        let rules = RuleSet::new(Vec::new(), DefaultAccess::SignedIn);
        let memory = PathMemory::default();
        for number in 0..1000 {
            let request = request("GET", &format!("https://app.example.com/{number}"), &[]);
            assert!(!is_public(&memory, &rules, &request));
        }
        let long = request("GET", &format!("https://app.example.com/{}", "a".repeat(MAX_LENGTH)), &[]);
        assert!(!is_public(&memory, &rules, &long));
        let known = memory.0.borrow();
        assert_eq!(known.len(), MAX_PATHS);
        assert!(known.first().is_some_and(|last| last.raw == "/999"));
    }
    #[test]
    fn a_path_is_remembered_if_it_is_short_enough_with_its_host() {
        let rules = RuleSet::new(Vec::new(), DefaultAccess::SignedIn);
        let longest = MAX_LENGTH - "app.example.com".len();
        for (length, is_remembered) in [(30, true), (longest, true), (longest + 1, false)] {
            let memory = PathMemory::default();
            let path = "a".repeat(length - 1);
            assert!(!is_public(
                &memory,
                &rules,
                &request("GET", &format!("https://app.example.com/{path}"), &[])
            ));
            assert_eq!(memory.0.borrow().len(), usize::from(is_remembered), "{length}");
        }
    }
}
