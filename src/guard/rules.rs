//! Who may go where: the first rule that matches decides.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::config::DefaultAccess;
use crate::config::data::DataPath;
use crate::guard::matcher::{FirstSegment, Pattern};
use crate::guard::path::CanonicalPath;
use crate::http::origin::HostPattern;
use crate::http::request::Method;

/// One rule: what it is for, and what it asks.
#[derive(Clone, Debug)]
pub struct Rule {
    /// It is for paths that one of these matches.
    pub patterns: Vec<Pattern>,
    /// It is for this host only.
    pub host: Option<HostPattern>,
    /// It is for these methods only. HEAD counts as GET: it is the same but for the body.
    pub methods: Option<Vec<Method>>,
    /// Who may pass.
    pub access: Access,
    /// What who is signed out gets to see.
    pub deny: Deny,
}

/// Who may pass.
#[derive(Clone, Debug)]
pub enum Access {
    /// Everybody.
    Public,
    /// Who is signed in.
    SignedIn,
    /// Who is signed in and meets all of these.
    Claims(Vec<ClaimRequirement>),
}

/// A claim of the session that must have one of some values.
#[derive(Clone, Debug)]
pub struct ClaimRequirement {
    /// Where in the session.
    pub claim: DataPath,
    /// Strings, numbers or booleans. A claim that is a list meets the requirement when one of its values
    /// does.
    pub any_of: Vec<Value>,
}

/// What somebody gets who may not pass. In the order of strictness: where several readings of a path deny
/// differently, the last holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Deny {
    /// Signed out, the way to sign in; signed in without the claims 403, since signing in again would
    /// change nothing.
    #[default]
    SignIn,
    /// 403.
    Forbidden,
    /// 404: that there is something is nobody else's business.
    NotFound,
}

/// All rules in their order, and what holds where none matches.
#[derive(Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
    default: Access,
    /// Patterns by the literal first segment of all they match (`""` for `/`), so that a thousand rules
    /// for a thousand places cost a request no more than those for its own.
    by_first_segment: BTreeMap<String, Vec<Place>>,
    /// Patterns whose first segment may be any.
    anywhere: Vec<Place>,
}

/// Indices of a rule and of one of its patterns; their order is the order of the configuration.
type Place = (usize, usize);

impl RuleSet {
    /// Rules, first match first.
    pub fn new(rules: Vec<Rule>, default: DefaultAccess) -> Self {
        let mut by_first_segment: BTreeMap<String, Vec<Place>> = BTreeMap::new();
        let mut anywhere = Vec::new();
        for (rule, Rule { patterns, .. }) in rules.iter().enumerate() {
            for (at, pattern) in patterns.iter().enumerate() {
                match pattern.first_segment() {
                    FirstSegment::None => by_first_segment.entry(String::new()).or_default(),
                    FirstSegment::Literal(text) => by_first_segment.entry(text.to_owned()).or_default(),
                    FirstSegment::Anything => &mut anywhere,
                }
                .push((rule, at));
            }
        }
        let default = match default {
            DefaultAccess::SignedIn => Access::SignedIn,
            DefaultAccess::Public => Access::Public,
        };
        Self { rules, default, by_first_segment, anywhere }
    }

    /// Decides for a request. `host` is `RequestUrl::authority`, with or without its port.
    ///
    /// A path that servers read in several ways is decided for each of them, and all decisions hold.
    pub fn decide(&self, host: &str, method: &Method, path: &CanonicalPath) -> Decided<'_> {
        let mut decided: Option<Decided<'_>> = None;
        for segments in path.readings() {
            let one = self.decide_reading(host, method, segments);
            match &mut decided {
                None => decided = Some(one),
                Some(all) => all.join(one),
            }
        }
        // A path has a reading, always; were there none, nobody should pass unseen.
        decided.unwrap_or_else(|| self.decide_reading(host, method, path.segments()))
    }

    /// Whether some rule is for some methods only, so that it matters which method an upstream sees.
    pub fn distinguishes_methods(&self) -> bool {
        self.rules.iter().any(|rule| rule.methods.is_some())
    }

    fn decide_reading(&self, host: &str, method: &Method, segments: &[String]) -> Decided<'_> {
        let found = self.candidates(segments).find_map(|(index, at)| {
            let rule = self.rules.get(index)?;
            let matches = rule.is_for(host, method) && rule.patterns.get(at)?.matches_segments(segments);
            matches.then_some((index, rule))
        });
        match found {
            Some((index, rule)) => {
                Decided { rule: Some(index), access: &rule.access, deny: rule.deny, others: Vec::new() }
            }
            None => Decided { rule: None, access: &self.default, deny: Deny::default(), others: Vec::new() },
        }
    }

    /// The patterns that may match, in order.
    fn candidates(&self, segments: &[String]) -> impl Iterator<Item = Place> {
        let first = segments.first().map_or("", String::as_str);
        let mut here = self.by_first_segment.get(first).map_or(&[][..], Vec::as_slice);
        let mut anywhere = self.anywhere.as_slice();
        std::iter::from_fn(move || {
            let next = match (here.first(), anywhere.first()) {
                (Some(a), Some(b)) if a < b => &mut here,
                (_, Some(_)) => &mut anywhere,
                (_, None) => &mut here,
            };
            let (place, rest) = next.split_first()?;
            *next = rest;
            Some(*place)
        })
    }
}

impl Rule {
    fn is_for(&self, host: &str, method: &Method) -> bool {
        let method = if *method == Method::Head { [&Method::Head, &Method::Get] } else { [method; 2] };
        self.host.as_ref().is_none_or(|pattern| pattern.matches(host))
            && self.methods.as_ref().is_none_or(|methods| methods.iter().any(|m| method.contains(&m)))
    }
}

/// What the rules say about one request.
#[derive(Clone, Debug)]
pub struct Decided<'a> {
    /// The rule that decided, counted from 0; `None` where none matched. For the log.
    pub rule: Option<usize>,
    /// What is asked: the strictest, where several readings of the path ask for different things.
    access: &'a Access,
    /// What somebody who is signed out gets to see.
    pub deny: Deny,
    /// What other readings ask for beside it.
    others: Vec<&'a Access>,
}

impl Decided<'_> {
    /// Whether everybody may pass.
    pub fn is_public(&self) -> bool {
        matches!(self.access, Access::Public)
    }

    /// Whether somebody who is signed in with these claims may pass.
    pub fn admits(&self, claims: &Map<String, Value>) -> bool {
        self.access.admits(claims) && self.others.iter().all(|access| access.admits(claims))
    }
}

impl<'a> Decided<'a> {
    fn join(&mut self, other: Decided<'a>) {
        if other.rule == self.rule || other.is_public() {
            return;
        }
        if self.is_public() {
            *self = other;
            return;
        }
        self.deny = self.deny.max(other.deny);
        self.others.push(other.access);
    }
}

impl Access {
    /// Whether somebody who is signed in with these claims may pass.
    pub fn admits(&self, claims: &Map<String, Value>) -> bool {
        match self {
            Self::Public | Self::SignedIn => true,
            Self::Claims(requirements) => requirements.iter().all(|requirement| requirement.is_met(claims)),
        }
    }
}

impl ClaimRequirement {
    /// Whether the claims have what is asked.
    pub fn is_met(&self, claims: &Map<String, Value>) -> bool {
        let has = |value: &Value| self.any_of.iter().any(|wanted| is_same(value, wanted));
        match self.claim.lookup(claims) {
            Some(Value::Array(values)) => values.iter().any(has),
            Some(value) => has(value),
            None => false,
        }
    }
}

/// Strings, numbers and booleans of the same type and value; `1` and `1.0` are the same number, `1` and
/// `"1"` are not the same.
fn is_same(claim: &Value, wanted: &Value) -> bool {
    match (claim, wanted) {
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        // As floats only where one is: large integers would run together.
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => a.as_f64() == b.as_f64(),
        (Value::Number(a), Value::Number(b)) => a == b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rule(patterns: &[&str], access: Access) -> Rule {
        let patterns = patterns.iter().map(|pattern| Pattern::parse(pattern).unwrap()).collect();
        Rule { patterns, host: None, methods: None, access, deny: Deny::SignIn }
    }

    fn requires(claim: &str, any_of: Value) -> ClaimRequirement {
        let Value::Array(any_of) = any_of else { panic!("a list is needed") };
        ClaimRequirement { claim: DataPath::parse(claim).unwrap(), any_of }
    }

    fn admin() -> Access {
        Access::Claims(vec![requires("roles", json!(["admin"]))])
    }

    fn claims(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn decide<'a>(rules: &'a RuleSet, host: &str, method: &str, path: &str) -> Decided<'a> {
        rules.decide(host, &Method::new(method), &CanonicalPath::new(path).unwrap())
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        let rules = RuleSet::new(
            vec![
                rule(&["/", "/about", "/a/b"], Access::Public),
                rule(&["/:any/b"], Access::SignedIn),
                rule(&["/a/:path*"], admin()),
                rule(&["/:path*/end", "/a/c"], Access::Public),
            ],
            DefaultAccess::SignedIn,
        );
        for (path, expected) in [
            ("/", Some(0)),
            ("/about/", Some(0)),
            ("/a/b", Some(0)),
            ("/x/b", Some(1)),
            ("/a", Some(2)),
            ("/a/c", Some(2)),
            ("/a/end", Some(2)),
            ("/b/c/end", Some(3)),
            ("/b/c", None),
            ("/About", None),
        ] {
            assert_eq!(decide(&rules, "h", "GET", path).rule, expected, "{path}");
        }
    }

    #[test]
    fn where_no_rule_matches_the_default_holds() {
        for (default, public) in [(DefaultAccess::SignedIn, false), (DefaultAccess::Public, true)] {
            let rules = RuleSet::new(Vec::new(), default);
            let decided = decide(&rules, "h", "GET", "/x");
            assert_eq!((decided.rule, decided.is_public()), (None, public));
            assert!(decided.admits(&Map::new()));
        }
    }

    #[test]
    fn host_and_methods_narrow_a_rule() {
        let mut by_host = rule(&["/:path*"], Access::Public);
        by_host.host = Some(HostPattern::parse("*.example.com").unwrap());
        let mut by_method = rule(&["/:path*"], Access::Public);
        by_method.methods = Some(vec![Method::Get, Method::new("PURGE")]);
        let rules = RuleSet::new(vec![by_host, by_method], DefaultAccess::SignedIn);
        assert!(rules.distinguishes_methods());
        for (host, method, expected) in [
            ("app.example.com", "POST", Some(0)),
            ("app.example.com:8443", "POST", Some(0)),
            ("app.example.com.", "POST", Some(0)),
            ("example.com", "POST", None),
            ("example.com", "GET", Some(1)),
            ("example.com", "HEAD", Some(1)),
            ("example.com", "PURGE", Some(1)),
            ("example.com", "purge", None),
            ("example.com", "OPTIONS", None),
        ] {
            assert_eq!(decide(&rules, host, method, "/x").rule, expected, "{host} {method}");
        }
    }

    #[test]
    fn claims_are_compared_by_type_and_value_and_a_list_by_one_of_its_values() {
        let session = claims(json!({
            "role": "admin", "roles": ["user", "admin", 7], "n": 1, "f": 1.0, "big": u64::MAX, "yes": true,
            "o": {"role": "x"}, "nested": [["admin"]], "none": null, "empty": []
        }));
        for (claim, any_of, met) in [
            ("role", json!(["admin"]), true),
            ("role", json!(["x", "admin"]), true),
            ("role", json!(["Admin"]), false),
            ("role", json!(["adm"]), false),
            ("role", json!([]), false),
            ("roles", json!(["admin"]), true),
            ("roles", json!([7]), true),
            ("roles", json!(["7"]), false),
            ("n", json!([1]), true),
            ("n", json!([1.0]), true),
            ("f", json!([1]), true),
            ("n", json!(["1"]), false),
            ("n", json!([true]), false),
            ("big", json!([u64::MAX - 1]), false),
            ("yes", json!([true]), true),
            ("yes", json!(["true"]), false),
            ("o.role", json!(["x"]), true),
            ("o", json!([{"role": "x"}]), false),
            ("nested", json!(["admin"]), false),
            ("none", json!([null]), false),
            ("empty", json!(["admin"]), false),
            ("missing", json!(["admin"]), false),
        ] {
            let access = Access::Claims(vec![requires(claim, any_of.clone())]);
            assert_eq!(access.admits(&session), met, "{claim} {any_of}");
        }
        let both = Access::Claims(vec![requires("role", json!(["admin"])), requires("n", json!([2]))]);
        assert!(!both.admits(&session), "several claims: all of them");
    }

    #[test]
    fn path_confusion_is_decided_by_the_strictest_reading() {
        let user = claims(json!({}));
        let rules = RuleSet::new(
            vec![
                rule(&["/_next/:path*", "/:file.css", "/:x"], Access::Public),
                rule(&["/admin/:path*"], admin()),
            ],
            DefaultAccess::Public,
        );
        assert!(decide(&rules, "h", "GET", "/_next/static/x.js").is_public());
        assert!(decide(&rules, "h", "GET", "/_next/data/B/blog/a.json").is_public());
        for path in [
            "/admin/x",
            "/admin/x;a=b",
            "/admin;a=b/x",
            "/%61dmin/x",
            "/%2561dmin/x",
            "/admin/x%23.css",
            "/_next/data/B/admin/x.json",
            "/_next/data/B/%61dmin/x.json",
            "/admin/x.rsc",
            "/admin%3bx/y",
        ] {
            let decided = decide(&rules, "h", "GET", path);
            assert!(!decided.is_public() && !decided.admits(&user), "{path}");
        }
    }

    #[test]
    fn where_two_readings_ask_for_claims_both_hold() {
        let staff = Access::Claims(vec![requires("staff", json!([true]))]);
        let mut hidden = rule(&["/a"], staff);
        hidden.deny = Deny::Forbidden;
        let rules = RuleSet::new(vec![rule(&["/a;b"], admin()), hidden], DefaultAccess::Public);
        let decided = decide(&rules, "h", "GET", "/a;b");
        assert_eq!((decided.rule, decided.deny), (Some(0), Deny::Forbidden));
        for (session, admitted) in [
            (json!({"roles": "admin"}), false),
            (json!({"staff": true}), false),
            (json!({"roles": "admin", "staff": true}), true),
        ] {
            assert_eq!(decided.admits(&claims(session.clone())), admitted, "{session}");
        }
    }

    #[test]
    fn a_thousand_rules_cost_a_request_only_those_for_its_first_segment() {
        let many = (0..1000).map(|n| rule(&[&format!("/r{n}/:path*")], Access::SignedIn));
        let last = [rule(&["/:path*"], Access::Public)];
        let rules = RuleSet::new(many.chain(last).collect(), DefaultAccess::SignedIn);
        let path = CanonicalPath::new("/r500/x").unwrap();
        assert_eq!(rules.candidates(path.segments()).collect::<Vec<_>>(), [(500, 0), (1000, 0)]);
        assert_eq!(decide(&rules, "h", "GET", "/r500/x").rule, Some(500));
        assert_eq!(decide(&rules, "h", "GET", "/s").rule, Some(1000));
    }
}
