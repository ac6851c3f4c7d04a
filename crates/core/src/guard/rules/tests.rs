use serde_json::{Map, Value, json};

use super::*;
use crate::guard::budget::MAX_WORK;
use crate::guard::conditions::{Condition, Source, ValuePattern};
use crate::guard::decision::Decision;
use crate::guard::matcher::Pattern;
use crate::session::proven::ProvenClaims;
use crate::upstream::Target;
use vestibule_oidc::data::DataPath;
use vestibule_oidc::http::headers::Headers;
use vestibule_oidc::http::origin::HostPattern;
use vestibule_oidc::http::request::{Method, RequestUrl};

fn rule(patterns: &[&str], access: Access) -> Rule {
    Rule::new("", patterns.iter().map(|pattern| Pattern::parse(pattern).unwrap()).collect(), access)
}

fn requires(claim: &str, any_of: Value) -> Requirement {
    let Value::Array(any_of) = any_of else { panic!("a list is needed") };
    let test = ClaimTest::AnyOf(any_of);
    Requirement::Claim(ClaimRequirement::new(DataPath::parse(claim).unwrap(), test))
}

fn admin() -> Access {
    Access::Claims(vec![requires("roles", json!(["admin"]))])
}

fn claims(value: Value) -> Map<String, Value> {
    let mut claims: Map<String, Value> = serde_json::from_value(value).unwrap();
    claims.insert("sub".to_owned(), json!("alice"));
    claims
}

fn request(host: &str, method: &str, path: &str) -> Request {
    let url = RequestUrl::parse(&format!("https://{host}{path}")).unwrap();
    Request { method: Method::new(method), url, headers: Headers::new() }
}

fn decide<'a>(rules: &'a RuleSet, host: &str, method: &str, path: &str) -> RuleDecisions<'a> {
    let request = request(host, method, path);
    rules.decide(&request, &CanonicalPath::new(&request.url.path).unwrap(), &PathReadings::default()).unwrap()
}

/// The index of the rule that decides about the path as it is written.
fn index(decided: &RuleDecisions<'_>) -> Option<usize> {
    decided.written.index()
}

fn admits(decided: &RuleDecisions<'_>, claims: &Map<String, Value>) -> bool {
    decided.decision(Some(&proven(claims))) == Decision::Pass
}

fn proven(claims: &Map<String, Value>) -> ProvenClaims<'_> {
    ProvenClaims::new(claims, true, &[]).unwrap()
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
        assert!(admits(&decided, &claims(json!({}))));
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
fn a_post_that_servers_take_for_another_method_is_restricted_as_that_one_too() {
    let mut restricts = rule(&["/a/:path*"], Access::SignedIn);
    restricts.methods = Some(vec![Method::new("DELETE")]);
    let mut permits = rule(&["/b/:path*"], Access::Public);
    permits.methods = Some(vec![Method::Get, Method::Post]);
    let open = RuleSet::new(vec![restricts], DefaultAccess::Public);
    let closed = RuleSet::new(vec![permits], DefaultAccess::SignedIn);
    for (method, url, is_public) in [
        ("POST", "/a/x?_method=delete", false),
        ("post", "/a/x?_method=delete", false),
        ("POST", "/a/x?_method=PATCH&_method=DELETE", false),
        ("POST", "/a/x?_method=PATCH", true),
        ("PUT", "/a/x?_method=DELETE", true),
    ] {
        assert_eq!(decide(&open, "h", method, url).is_public(), is_public, "{method} {url}");
    }
    for (url, is_public) in [("/b/x?_method=GET", true), ("/b/x?_method=PATCH", false), ("/b/x?a=b", true)] {
        assert_eq!(decide(&closed, "h", "POST", url).is_public(), is_public, "{url}");
    }
}

/// Django, Symfony and Werkzeug compare methods in upper case.
#[test]
fn a_method_in_other_letters_is_restricted_as_servers_may_read_it_and_permitted_as_it_is() {
    let mut restricts = rule(&["/a/:path*"], Access::SignedIn);
    restricts.methods = Some(vec![Method::Post, Method::new("DELETE")]);
    let mut permits = rule(&["/b/:path*"], Access::Public);
    permits.methods = Some(vec![Method::Post]);
    let rules = RuleSet::new(vec![restricts.clone(), permits], DefaultAccess::SignedIn);
    let open = RuleSet::new(vec![restricts], DefaultAccess::Public);
    for method in ["POST", "post", "Post", "DELETE", "delete", "dELETE"] {
        assert!(!decide(&open, "h", method, "/a/x").is_public(), "{method}");
    }
    for (method, is_public) in [("GET", true), ("get", true), ("PATCH", true), ("patch", true)] {
        assert_eq!(decide(&open, "h", method, "/a/x").is_public(), is_public, "{method}");
    }
    for (method, is_public) in [("POST", true), ("post", false), ("Post", false), ("PUT", false)] {
        assert_eq!(decide(&rules, "h", method, "/b/x").is_public(), is_public, "{method}");
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
        let decided =
            rules.decide(&request, &CanonicalPath::new("/x").unwrap(), &PathReadings::default()).unwrap();
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
        assert_eq!(decided.decision(Some(&proven(&claims(json!({"roles": "user"}))))), without_claims);
        assert_eq!(decided.decision(Some(&proven(&claims(json!({"roles": "admin"}))))), Decision::Pass);
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
    matched_on(rules, "h", path)
}

fn matched_on(rules: &RuleSet, host: &str, path: &str) -> Vec<Place> {
    let path = CanonicalPath::new(path).unwrap();
    rules.candidates(&Reading::new(path.segments(), Case::Matters, &Budget::new()), host).collect()
}

#[test]
fn of_rules_for_a_thousand_hosts_a_request_is_matched_only_against_those_for_its_own() {
    let on = |host: &str, pattern: &str| Rule {
        host: Some(HostPattern::parse(host).unwrap()),
        ..rule(&[pattern], Access::SignedIn)
    };
    let many = (0..1000).map(|n| {
        let host = format!("host-{n}.example.com");
        if n % 2 == 0 { on(&host, "/:path*") } else { on(&host, "/admin/:path*") }
    });
    let others = [
        on("*.example.com", "/admin/x"),
        rule(&["/:path*"], Access::Public),
        on("host-7.example.com:8443", "/"),
    ];
    let rules = RuleSet::new(many.chain(others).collect(), DefaultAccess::SignedIn);
    let decided = |host: &str, path: &str| index(&decide(&rules, host, "GET", path));
    for host in ["host-6.example.com", "HOST-6.example.com", "host-6.example.com.", "host-6.example.com:8080"]
    {
        assert_eq!(matched_on(&rules, host, "/admin/x"), [(6, 0), (1000, 0), (1001, 0)], "{host}");
        assert_eq!(decided(host, "/admin/x"), Some(6), "{host}");
    }
    assert_eq!(matched_on(&rules, "host-7.example.com", "/admin/x"), [(7, 0), (1000, 0), (1001, 0)]);
    assert_eq!(decided("host-7.example.com", "/x"), Some(1001));
    assert_eq!(matched_on(&rules, "host-7.example.com:8443", "/"), [(1001, 0), (1002, 0)]);
    assert_eq!(
        (decided("other.example.com", "/admin/x"), decided("h", "/admin/x")),
        (Some(1000), Some(1001))
    );
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

/// What a rule asks of somebody who is signed out, where the upstream reads paths like this.
fn with_upstream(rules: &RuleSet, path: &str, upstream: &PathReadings) -> Decision {
    let request = request("h", "GET", path);
    rules.decide(&request, &CanonicalPath::new(path).unwrap(), upstream).unwrap().decision(None)
}

#[test]
fn path_confusion_a_guarded_page_is_guarded_under_every_name_that_some_server_has_for_it() {
    let rules = RuleSet::new(vec![rule(&["/admin/:path*"], admin())], DefaultAccess::Public);
    let german =
        PathReadings { locales: vec!["de".to_owned()], exact: Vec::new(), ..PathReadings::default() };
    for path in [
        "/Admin",
        "/ADMIN/x",
        "/adm%C4%B1n",
        "/admin.data",
        "/admin.JSON",
        "/admin.txt",
        "/admin.html",
        "/admin/x.html",
        "/admin/__data.json",
        "/admin/_payload.json",
        "/admin.rsc",
        "/_next/data/BUILD/admin.json",
        "/_next/data/BUILD/de/admin.json",
        "/page-data/admin/page-data.json",
        "/de/admin",
        "/DE/Admin.Html",
        "/index.php/admin",
        "/Index.PHP/Admin",
        "/admin.",
        "/admin%20",
        "/admin::$INDEX_ALLOCATION",
        "/admin;x",
        "/Admin;x",
        "/%2561dmin",
    ] {
        assert_ne!(with_upstream(&rules, path, &german), Decision::Pass, "{path}");
    }
    for path in ["/administrator", "/de", "/x/admin", "/admins.json", "/index.php"] {
        assert_eq!(with_upstream(&rules, path, &german), Decision::Pass, "{path}");
    }
}

#[test]
fn a_public_page_stays_public_whatever_some_server_may_take_its_name_for() {
    let rules = RuleSet::new(
        vec![rule(&["/Docs/:path*"], Access::Public), rule(&["/docs/:path*"], admin())],
        DefaultAccess::SignedIn,
    );
    let exact = PathReadings::default();
    assert_eq!(with_upstream(&rules, "/Docs/x", &exact), Decision::Pass);
    assert_ne!(with_upstream(&rules, "/docs/x", &exact), Decision::Pass);
    // The default is what holds for a path as it is written, and for no other name of it.
    let rules = RuleSet::new(vec![rule(&["/x.json"], Access::Public)], DefaultAccess::SignedIn);
    assert_eq!(with_upstream(&rules, "/x.json", &exact), Decision::Pass);
}

#[test]
fn an_upstream_that_is_known_to_read_paths_exactly_is_guarded_exactly() {
    let rules = RuleSet::new(vec![rule(&["/admin"], admin())], DefaultAccess::Public);
    for (path, habit) in [
        ("/Admin", ServerReading::Case),
        ("/admin.", ServerReading::FileName),
        ("/index.php/admin", ServerReading::Script),
        ("/admin.json", ServerReading::Suffix),
    ] {
        let exact = PathReadings { locales: Vec::new(), exact: vec![habit], ..PathReadings::default() };
        assert_ne!(with_upstream(&rules, path, &PathReadings::default()), Decision::Pass, "{path}");
        assert_eq!(with_upstream(&rules, path, &exact), Decision::Pass, "{path}");
    }
    // What is known of an upstream is not known of the server to which a rule sends the request.
    let mut elsewhere = rule(&["/Admin"], Access::Public);
    elsewhere.forwarding.target = Some(Target::Service("OTHER".to_owned()));
    let rules = RuleSet::new(vec![rule(&["/admin"], admin()), elsewhere], DefaultAccess::Public);
    let exact =
        PathReadings { locales: Vec::new(), exact: vec![ServerReading::Case], ..PathReadings::default() };
    assert_ne!(with_upstream(&rules, "/Admin", &exact), Decision::Pass);
}

#[test]
fn work_bombs_a_request_costs_bounded_work_whatever_its_path() {
    let usual = "/((?!api|_next/static|_next/image|favicon\\.ico|sitemap\\.xml|robots\\.txt).*)";
    let rules = |patterns: &[&str]| {
        let many =
            (0..30).map(|n| rule(&[&patterns[n % patterns.len()].replace('N', &n.to_string())], admin()));
        RuleSet::new(many.collect(), DefaultAccess::Public)
    };
    let long = format!("/{}", "a".repeat(16_000));
    let slashes = format!("/{}", "a/".repeat(8_000));
    for (patterns, path) in [
        (&[usual][..], &long),
        (&[usual], &slashes),
        (&["/((?!apiN|staticN).*)x", "/(a*a*a*a*)N"], &long),
        (&["/:a*/:b*/:c*/xN"], &slashes),
        (&["/(.*)(a|b)(.*)(b|c)(.*)N"], &format!("/{}", "abcd".repeat(4_000))),
    ] {
        let rules = rules(patterns);
        let request = request("h", "GET", path);
        let budget = Budget::new();
        rules.readings(&request, &CanonicalPath::new(path).unwrap(), &PathReadings::default(), &budget);
        assert!(budget.spent() <= MAX_WORK, "{patterns:?}");
        eprintln!("{patterns:?}: {}", budget.spent());
    }
    // An ordinary path is nowhere near it.
    let rules = rules(&[usual]);
    let request = request("h", "GET", "/dashboard/settings/profile");
    let budget = Budget::new();
    let path = CanonicalPath::new("/dashboard/settings/profile").unwrap();
    rules.readings(&request, &path, &PathReadings::default(), &budget);
    eprintln!("ordinary: {}", budget.spent());
    assert!(budget.spent() < MAX_WORK / 10);
}

/// Whether a rule for this pattern alone restricts the path, where everything else is public.
fn restricts(pattern: &str, path: &str) -> bool {
    let rules = RuleSet::new(vec![rule(&[pattern], admin())], DefaultAccess::Public);
    let request = request("h", "GET", path);
    // A path that is rejected reaches no server.
    CanonicalPath::new(&request.url.path).is_err() || !decide(&rules, "h", "GET", path).is_public()
}

#[test]
fn path_confusion_no_character_of_a_path_escapes_an_expression() {
    for separator in ["%0A", "%0D", "%C2%85", "%E2%80%A8", "%E2%80%A9", "%25E2%2580%25A8"] {
        for pattern in ["/area/(.*)", "/((?!open).*)", "/area/:id(.+)"] {
            for path in [format!("/area/{separator}"), format!("/area/a{separator}b")] {
                assert!(restricts(pattern, &path), "{pattern} {path}");
            }
        }
    }
}

#[test]
fn path_confusion_a_script_runs_under_every_path_behind_it() {
    for (pattern, path) in [
        ("/admin.php", "/admin.php/x"),
        ("/admin.php", "/admin.php/x.css"),
        ("/admin.php", "/ADMIN.php/x/y"),
        ("/admin.php", "/admin.php;a/x"),
        ("/shop/tool.pl", "/shop/tool.pl/x"),
        ("/admin", "/admin.php/x"),
        ("/wp-admin", "/wp-admin/index.php/x"),
        ("/admin.aspx", "/admin.aspx/Method"),
    ] {
        assert!(restricts(pattern, path), "{pattern} {path}");
    }
    assert!(!restricts("/admin.php", "/admin.css/x"));
    assert!(!restricts("/admin.php", "/other.php/x"));
}

#[test]
fn work_bombs_what_the_files_of_rules_and_slashes_cost_is_counted() {
    let patterns = &["/a.php", "/index.html", "/(x|y)/(.*)"];
    let rules = RuleSet::new(vec![rule(patterns, admin())], DefaultAccess::Public);
    for segment in ["a/", "a;b/", "a%25/", "index.php/"] {
        let path = format!("/{}", segment.repeat(16_000 / segment.len()));
        let (request, canonical) = (request("h", "GET", &path), CanonicalPath::new(&path).unwrap());
        let budget = Budget::new();
        let readings = rules.readings(&request, &canonical, &PathReadings::default(), &budget);
        assert!(readings.len() < 100, "{segment}: {}", readings.len());
        let characters: usize = readings.iter().map(|reading| work_of(&reading.segments)).sum();
        assert!(budget.is_exhausted() || budget.spent() > characters as u64 / 2, "{segment}");
    }
}

#[test]
fn path_confusion_a_slash_at_the_end_is_text_to_an_expression() {
    for (pattern, path) in [
        ("/area/(.*)", "/area/"),
        ("/area/(.*)", "/AREA/"),
        ("/area/(.*)", "/area;x/"),
        ("/area/(.*)", "/%61rea/"),
        ("/(de|en)/area/(.*)", "/de/area/"),
        ("/api/((?!open).*)", "/api/"),
    ] {
        assert!(restricts(pattern, path), "{pattern} {path}");
    }
    // As path-to-regexp has it.
    assert!(!restricts("/area/(.*)", "/area"));
    assert!(!restricts("/area/(.+)", "/area/"));
    // It restricts, and never permits.
    let open = RuleSet::new(vec![rule(&["/area/(.*)"], Access::Public)], DefaultAccess::SignedIn);
    assert!(!decide(&open, "h", "GET", "/area/").is_public());
}

#[test]
fn path_confusion_a_file_answers_without_its_ending() {
    for (pattern, path) in [
        ("/report.html", "/report"),
        ("/report.html", "/report/"),
        ("/report.html", "/REPORT"),
        ("/:lang/report.html", "/de/report"),
        ("/(de|en)/report.php", "/de/report"),
        ("/tool.cgi", "/tool"),
        ("/tool.cgi", "/tool/x/y"),
        ("/docs/index.html", "/docs/"),
        ("/docs/index.html", "/docs"),
        ("/docs/index.html", "/docs/index"),
        ("/index.php", "/"),
        ("/wp-admin/index.php", "/wp-admin"),
        ("/Default.aspx", "/"),
    ] {
        assert!(restricts(pattern, path), "{pattern} {path}");
    }
    for (pattern, path) in [
        ("/report.html", "/other"),
        ("/report.html", "/report/x"),
        ("/logo.png", "/logo"),
        ("/:name.html", "/report"),
        ("/a/(.*).php", "/a/b"),
    ] {
        assert!(!restricts(pattern, path), "{pattern} {path}");
    }
    // It restricts, and never permits; and an upstream may be known not to do so.
    let open = RuleSet::new(vec![rule(&["/report.html"], Access::Public)], DefaultAccess::SignedIn);
    assert!(!decide(&open, "h", "GET", "/report").is_public());
    let restricted = RuleSet::new(vec![rule(&["/report.html"], admin())], DefaultAccess::Public);
    let exact = PathReadings { exact: vec![ServerReading::Suffix], ..PathReadings::default() };
    let path = CanonicalPath::new("/report").unwrap();
    assert!(restricted.decide(&request("h", "GET", "/report"), &path, &exact).unwrap().is_public());
}

#[test]
fn another_page_may_act_where_every_rule_that_restricts_a_reading_allows_it() {
    for (of_other_reading, allows_there, expected) in
        [(Access::Public, false, true), (admin(), false, false), (admin(), true, true)]
    {
        let other = Rule { allows_cross_origin: allows_there, ..rule(&["/api/hook"], of_other_reading) };
        let written = Rule { allows_cross_origin: true, ..rule(&["/:path*"], Access::SignedIn) };
        let rules = RuleSet::new(vec![other, written], DefaultAccess::Public);
        let decided = decide(&rules, "h", "POST", "/api;x/hook");
        assert_eq!((index(&decided), decided.others.len()), (Some(1), 1));
        assert_eq!(decided.allows_cross_origin(), expected, "{:?}", decided.others);
    }
}

#[test]
fn work_bombs_each_character_of_a_reading_costs_one_unit_and_so_does_each_slash() {
    let segments = ["admin", "", "\u{e9}"].map(str::to_owned);
    assert_eq!(work_of(&segments), "/admin//\u{e9}".len());
    assert_eq!(work_of(&[]), 0);
}

#[test]
fn the_rule_of_a_whole_host_decides_before_the_others_only_where_slashes_are_ambiguous() {
    let whole_host = Rule { allows_any_slashes: true, ..rule(&["/:path*"], Access::SignedIn) };
    let rules = RuleSet::new(vec![rule(&["/open"], Access::Public), whole_host], DefaultAccess::Public);
    for (path, expected) in [("/open", 0), ("/open/", 0), ("//open", 1), ("/%2fopen", 1), ("/other", 1)] {
        let canonical = CanonicalPath::with_any_slashes(path).unwrap();
        let decided = rules.decide(&request("h", "GET", path), &canonical, &PathReadings::default()).unwrap();
        assert_eq!((index(&decided), decided.is_public()), (Some(expected), expected == 0), "{path}");
    }
}

#[test]
fn a_slash_at_the_end_makes_a_reading_of_its_own_only_for_expressions() {
    let count = |pattern: &str, path: &str| {
        let rules = RuleSet::new(vec![rule(&[pattern], admin())], DefaultAccess::Public);
        let canonical = CanonicalPath::new(path).unwrap();
        rules.readings(&request("h", "GET", path), &canonical, &PathReadings::default(), &Budget::new()).len()
    };
    assert_eq!(count("/area/:path*", "/area/"), count("/area/:path*", "/area"));
    assert_eq!(count("/area/(.*)", "/area/"), 2 * count("/area/(.*)", "/area"));
}

#[test]
fn a_decision_is_remembered_only_where_nothing_but_host_path_and_method_decides() {
    let condition = Condition { source: Source::Header("x-beta".to_owned()), value: None };
    let with_condition = Rule { has: vec![condition], ..rule(&["/a"], admin()) };
    let with_method = Rule { methods: Some(vec![Method::new("DELETE")]), ..rule(&["/a"], admin()) };
    for (rules, of_get, of_overridable) in [
        (vec![rule(&["/a"], admin())], true, true),
        (vec![with_method.clone()], true, false),
        (vec![with_condition.clone()], false, false),
        (vec![with_method, with_condition], false, false),
    ] {
        let rules = RuleSet::new(rules, DefaultAccess::Public);
        let overridable = request("h", "POST", "/a?_method=DELETE");
        assert_eq!(rules.look_at_address_only(&request("h", "GET", "/a")), of_get);
        assert_eq!(rules.look_at_address_only(&overridable), of_overridable);
    }
}

#[test]
fn what_decided_is_found_again_by_its_places() {
    let rules = RuleSet::new(
        vec![rule(&["/x", "/admin"], admin()), rule(&["/:path*"], Access::SignedIn)],
        DefaultAccess::Public,
    );
    for path in ["/admin", "/admin;x", "/other", "/"] {
        let decided = decide(&rules, "h", "GET", path);
        let again = rules.decisions_at(&decided.places()).unwrap();
        assert_eq!((again.places(), again.place()), (decided.places(), decided.place()), "{path}");
    }
    let fewer = RuleSet::new(vec![rule(&["/x"], admin())], DefaultAccess::Public);
    assert!(fewer.decisions_at(&decide(&rules, "h", "GET", "/other").places()).is_none());
}

#[test]
fn a_file_that_answers_for_a_path_is_a_reading_by_the_habits_that_lead_to_it() {
    use ServerReading::{Script, Suffix};
    let rules = RuleSet::new(vec![rule(&["/report.html"], admin())], DefaultAccess::Public);
    let readers = |path: &str| {
        let canonical = CanonicalPath::new(path).unwrap();
        let readings =
            rules.readings(&request("h", "GET", path), &canonical, &PathReadings::default(), &Budget::new());
        readings
            .into_iter()
            .find(|reading| reading.segments == ["report.html"])
            .map(|reading| reading.readers)
    };
    assert_eq!(readers("/report"), Some(Readers::Some(vec![Suffix])));
    assert_eq!(readers("/index.php/report"), Some(Readers::Some(vec![Script, Suffix])));
    assert_eq!(readers("/report.json"), Some(Readers::Some(vec![Suffix])));
}
