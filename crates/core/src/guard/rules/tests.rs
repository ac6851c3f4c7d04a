use serde_json::json;

use super::*;
use crate::guard::conditions::{Source, ValuePattern};
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::request::RequestUrl;

fn rule(patterns: &[&str], access: Access) -> Rule {
    Rule::new("", patterns.iter().map(|pattern| Pattern::parse(pattern).unwrap()).collect(), access)
}

fn requires(claim: &str, any_of: Value) -> Requirement {
    let Value::Array(any_of) = any_of else { panic!("a list is needed") };
    let test = ClaimTest::AnyOf(any_of);
    Requirement::Claim(ClaimRequirement { claim: DataPath::parse(claim).unwrap(), test })
}

fn admin() -> Access {
    Access::Claims(vec![requires("roles", json!(["admin"]))])
}

fn claims(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

fn request(host: &str, method: &str, path: &str) -> Request {
    let url = RequestUrl::parse(&format!("https://{host}{path}")).unwrap();
    Request { method: Method::new(method), url, headers: Headers::new() }
}

fn decide<'a>(rules: &'a RuleSet, host: &str, method: &str, path: &str) -> RuleDecisions<'a> {
    let request = request(host, method, path);
    rules.decide(&request, &CanonicalPath::new(&request.url.path).unwrap())
}

/// The index of the rule that decides about the path as it is written.
fn index(decided: &RuleDecisions<'_>) -> Option<usize> {
    decided.written.index()
}

fn admits(decided: &RuleDecisions<'_>, claims: &Map<String, Value>) -> bool {
    decided.decision(Some(claims)) == Decision::Pass
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
        assert_eq!(index(&decide(&rules, "h", "GET", path)), expected, "{path}");
    }
}

#[test]
fn without_a_matching_rule_the_default_access_applies() {
    for (default, public) in [(DefaultAccess::SignedIn, false), (DefaultAccess::Public, true)] {
        let rules = RuleSet::new(Vec::new(), default);
        let decided = decide(&rules, "h", "GET", "/x");
        assert_eq!((index(&decided), decided.is_public()), (None, public));
        assert!(admits(&decided, &Map::new()));
    }
}

#[test]
fn a_rule_with_host_or_methods_applies_to_these_only() {
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
        assert_eq!(index(&decide(&rules, host, method, "/x")), expected, "{host} {method}");
    }
}

#[test]
fn a_rule_with_has_or_missing_applies_to_requests_that_meet_the_conditions() {
    let condition = |source, value: Option<&str>| Condition {
        source,
        value: value.map(|text| ValuePattern::parse(text).unwrap()),
    };
    let mut first = rule(&["/:path*"], Access::Public);
    first.has = vec![
        condition(Source::Header("x-a".to_owned()), Some("1")),
        condition(Source::Query("b".to_owned()), None),
    ];
    let mut second = rule(&["/:path*"], Access::SignedIn);
    second.missing =
        vec![condition(Source::Cookie("c".to_owned()), None), condition(Source::Host, Some("o.*"))];
    let rules = RuleSet::new(vec![first, second], DefaultAccess::Public);
    for (url, headers, expected) in [
        ("https://h/x?b=2", &[("x-a", "1")][..], Some(0)),
        ("https://h/x?b=2", &[("x-a", "2")], Some(1)),
        ("https://h/x", &[("x-a", "1")], Some(1)),
        ("https://h/x", &[("cookie", "c=1")], None),
        ("https://other/x", &[], None),
    ] {
        let url = RequestUrl::parse(url).unwrap();
        let request = Request { method: Method::Get, url, headers: headers.iter().copied().collect() };
        let decided = rules.decide(&request, &CanonicalPath::new("/x").unwrap());
        assert_eq!(index(&decided), expected, "{:?} {headers:?}", request.url);
    }
}

#[test]
fn a_denied_request_gets_the_response_that_the_rule_configures() {
    for (deny, signed_out, without_claims) in [
        (Deny::SignIn, Decision::SignIn, Decision::Forbidden),
        (Deny::Forbidden, Decision::Forbidden, Decision::Forbidden),
        (Deny::NotFound, Decision::NotFound, Decision::NotFound),
    ] {
        let mut admin = rule(&["/x"], admin());
        admin.deny = deny;
        let rules = RuleSet::new(vec![admin], DefaultAccess::Public);
        let decided = decide(&rules, "h", "GET", "/x");
        assert_eq!(decided.decision(None), signed_out);
        assert_eq!(decided.decision(Some(&claims(json!({"roles": "user"})))), without_claims);
        assert_eq!(decided.decision(Some(&claims(json!({"roles": "admin"})))), Decision::Pass);
        assert_eq!(decide(&rules, "h", "GET", "/y").decision(None), Decision::Pass);
    }
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
        assert!(!decided.is_public() && !admits(&decided, &user), "{path}");
    }
}

#[test]
fn path_confusion_two_readings_that_require_claims_must_both_be_met() {
    let staff = Access::Claims(vec![requires("staff", json!([true]))]);
    let mut hidden = rule(&["/a"], staff);
    hidden.deny = Deny::Forbidden;
    let rules = RuleSet::new(vec![rule(&["/a;b"], admin()), hidden], DefaultAccess::Public);
    let decided = decide(&rules, "h", "GET", "/a;b");
    assert_eq!((index(&decided), decided.decision(None)), (Some(0), Decision::Forbidden));
    for (session, admitted) in [
        (json!({"roles": "admin"}), false),
        (json!({"staff": true}), false),
        (json!({"roles": "admin", "staff": true}), true),
    ] {
        assert_eq!(admits(&decided, &claims(session.clone())), admitted, "{session}");
    }
}

/// The patterns that a path is matched against.
fn matched(rules: &RuleSet, path: &str) -> Vec<Place> {
    let path = CanonicalPath::new(path).unwrap();
    rules.candidates(&Reading::new(path.segments())).collect()
}

#[test]
fn of_a_thousand_rules_a_request_is_matched_only_against_those_for_its_first_segment() {
    let many = (0..1000).map(|n| {
        let pattern = if n % 2 == 0 { format!("/r{n}/:path*") } else { format!("/r{n}/:id(\\d+)") };
        rule(&[&pattern], Access::SignedIn)
    });
    let last = [rule(&["/:path*"], Access::Public)];
    let rules = RuleSet::new(many.chain(last).collect(), DefaultAccess::SignedIn);
    assert_eq!(matched(&rules, "/r500/x"), [(500, 0), (1000, 0)]);
    assert_eq!(matched(&rules, "/r501/7"), [(501, 0), (1000, 0)]);
    for (path, expected) in [("/r500/x", 500), ("/r501/7", 501), ("/r501/x", 1000), ("/s", 1000)] {
        assert_eq!(index(&decide(&rules, "h", "GET", path)), Some(expected), "{path}");
    }
}

#[test]
fn expressions_for_any_first_segment_are_matched_only_if_the_first_character_fits() {
    let many = (b'a'..=b'z').map(char::from).map(|c| rule(&[&format!("/({c}x|{c}y)/:id(\\d+)")], admin()));
    let rules = RuleSet::new(many.collect(), DefaultAccess::Public);
    assert_eq!(matched(&rules, "/cx/1"), [(2, 0)]);
    assert_eq!(matched(&rules, "/"), []);
    assert_eq!(index(&decide(&rules, "h", "GET", "/cy/1")), Some(2));
    assert_eq!(index(&decide(&rules, "h", "GET", "/cz/1")), None);
}
