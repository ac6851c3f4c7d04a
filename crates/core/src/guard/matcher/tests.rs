use proptest::prelude::*;

use super::*;

fn matches(pattern: &str, path: &str) -> bool {
    let pattern = Pattern::parse(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
    pattern.matches(&CanonicalPath::new(path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

#[test]
fn patterns_match_what_next_js_s_matcher_matches() {
    for (pattern, yes, no) in [
        ("/", &["/"][..], &["/a", "/index"][..]),
        ("/about", &["/about", "/about/", "/%61bout"], &["/", "/About", "/about/x", "/aboutx"]),
        ("/about/", &["/about", "/about/"], &["/about/x"]),
        ("/blog/:slug", &["/blog/a", "/blog/a/", "/blog/%C3%A9"], &["/blog", "/blog/", "/blog/a/b"]),
        ("/blog/:slug?", &["/blog", "/blog/", "/blog/a"], &["/blog/a/b", "/"]),
        (
            "/admin/:path*",
            &["/admin", "/admin/", "/admin/a", "/admin/a/b/c/"],
            &["/administrator", "/", "/x/admin"],
        ),
        ("/admin/:path+", &["/admin/a", "/admin/a/b"], &["/admin", "/admin/"]),
        ("/:path*", &["/", "/a", "/a/b"], &[]),
        ("/:path+", &["/a", "/a/b"], &["/"]),
        ("/:a", &["/a"], &["/", "/a/b"]),
        ("/:a*/edit", &["/edit", "/a/edit", "/a/b/edit", "/edit/edit"], &["/", "/edit/x"]),
        ("/:a*/x/:b*", &["/x", "/a/x", "/x/b", "/x/x/x", "/a/b/x/c/d"], &["/", "/a/b"]),
        ("/:a?/:b?/c", &["/c", "/a/c", "/a/b/c"], &["/a/b/d/c", "/"]),
        ("/a/:x+/b/:y+", &["/a/1/b/2", "/a/1/2/b/3/4", "/a/b/b/b"], &["/a/b/2", "/a/1/b", "/a/b/b"]),
        ("/a{}*b", &["/ab"], &["/a", "/b"]),
        ("/a{}+", &["/a"], &["/aa", "/"]),
        ("/:a*x", &["/bx", "/a/bx"], &["/b", "/a/b", "/x", "/"]),
        ("/:a?-x", &["/b-x"], &["/b", "/-x", "/a/b-x", "/"]),
        ("/blog{/:a-x}", &["/blog/b-x"], &["/blog/b", "/blog", "/blog/-x"]),
        ("/blog{/:a-x}?", &["/blog", "/blog/b-x"], &["/blog/b"]),
        ("/:a.", &["/b.", "/b..", "/..."], &["/b"]),
        ("/.:name", &["/.env"], &["/env", "/..."]),
        ("/..:name", &["/..env"], &["/.env", "/..."]),
        ("/file-:id", &["/file-1", "/file--"], &["/file-", "/file", "/xfile-1"]),
        ("/:id.json", &["/a.json", "/a.json.json", "/%C3%A9.json"], &["/.json", "/a.jsonx"]),
        ("/:from-:to", &["/a-b", "/a-b-c", "/--b"], &["/-b", "/a-", "/ab", "/--", "/-", "/a-b-"]),
        ("/:a--:b", &["/x--y", "/x--y-", "/---y", "/x--y--z-"], &["/x--y--", "/x-y", "/--y"]),
        ("/v:major.:minor.:patch", &["/v1.2.3", "/v1..2.3"], &["/v1.2", "/v.1.2", "/v1..2"]),
        ("/aXb:x1b", &["/aXb-"], &["/aXb"]),
        ("/caf%C3%A9", &["/caf%C3%A9", "/caf%c3%a9"], &["/cafe"]),
        ("/café", &["/caf%C3%A9"], &["/cafe"]),
        ("/\\(app\\)/\\:id", &["/(app)/:id"], &["/app/id"]),
        ("/a%20b", &["/a%20b"], &["/a+b"]),
        ("/\\[id]/a[b]/[]", &["/%5Bid%5D/a[b]/[]"], &["/1/a/b"]),
        ("/%2561", &["/%2561"], &["/a"]),
        // Expressions.
        ("/user/:id(\\d+)", &["/user/7", "/user/007/"], &["/user", "/user/", "/user/7a", "/user/x", "/7"]),
        ("/user/:id(\\d{2,3})?", &["/user", "/user/", "/user/12", "/user/123"], &["/user/1", "/user/1234"]),
        ("/n/:id(\\d+)*", &["/n", "/n/1", "/n/1/22"], &["/n/1/x", "/n/x"]),
        ("/n/:id(\\d+)+", &["/n/1", "/n/1/22"], &["/n", "/n/1/x"]),
        ("/docs/(.*)", &["/docs/a", "/docs/a/b/"], &["/docs", "/docs/", "/docsx", "/"]),
        ("/docs/:n(\\d+)/", &["/docs/1", "/docs/1/"], &["/docs"]),
        ("/(.*)", &["/", "/a", "/a/b.c"], &[]),
        ("/docs(/.*)?", &["/docs", "/docs/a/b"], &["/docsx"]),
        ("/(en|de)/about", &["/en/about", "/de/about/"], &["/fr/about", "/about", "/end/about"]),
        ("/:lang(en|de)?/about", &["/en/about", "/about"], &["/fr/about"]),
        ("/(.*)\\.(png|jpg)", &["/a.png", "/x/y.jpg"], &["/a.pngx", "/png"]),
        ("/a{/b}?", &["/a", "/a/b", "/a/b/"], &["/a/c", "/a/b/b"]),
        ("/a{-:x}*", &["/a", "/a-1", "/a-1-2"], &["/a-", "/a1", "/ab"]),
        ("/a{/:x(\\d+)-end}+", &["/a/1-end", "/a/1-end/2-end"], &["/a", "/a/1", "/a/1-endx"]),
        ("/a{}?", &["/a"], &["/"]),
        ("/:a(\\d+):b(x+)", &["/1x"], &["/1", "/x"]),
        ("/:x([\\w.-]+)@:y", &["/a.b@c"], &["/@c", "/a@"]),
        ("/\u{1f600}:x(a)", &["/%F0%9F%98%80a"], &["/%F0%9F%98%81a", "/a"]),
    ] {
        for path in yes {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for path in no {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }
}

#[test]
fn the_matcher_of_the_next_js_documentation_excludes_paths_that_begin_with_its_words() {
    let copied = "/((?!api|_next/static|_next/image|favicon.ico).*)";
    for path in
        ["/", "/a", "/dashboard/api", "/_next", "/_next/data/B/x.json", "/favicon", "/x/_next/static/y"]
    {
        assert!(matches(copied, path), "{path}");
    }
    // As in Next.js, "api" also excludes paths that only begin with it, and "." is any character.
    for path in ["/api", "/api/x", "/apis", "/_next/static", "/_next/image/x", "/favicon.ico", "/faviconXico"]
    {
        assert!(!matches(copied, path), "{path}");
    }
    let whole = "/((?!api(?:/|$)|.*\\.(?:png|css)$).*)";
    for (path, matched) in [
        ("/apis", true),
        ("/api", false),
        ("/api/x", false),
        ("/a/b.png", false),
        ("/a.png/b", true),
        ("/", true),
    ] {
        assert_eq!(matches(whole, path), matched, "{path}");
    }
}

#[test]
fn the_error_of_an_invalid_pattern_names_the_position() {
    use PatternProblem::{
        AdjacentParameters, BareGroup, CapturingGroup, EmptyGroup, EmptySegment, Encoding, Expression,
        InBraces, NeverMatches, NoName, NoSlash, NotInPath, RepeatsWithoutPrefix, RouteFolder, StrayBrace,
        StrayModifier, StrayParenthesis, TrailingBackslash, UnclosedBrace, UnclosedGroup,
    };
    for (pattern, problem, at) in [
        ("", NoSlash, 0),
        ("admin", NoSlash, 0),
        (":path*", NoSlash, 0),
        ("*", NoSlash, 0),
        ("{/a}?", NoSlash, 0),
        ("https://x/a", NoSlash, 0),
        ("/admin/(", UnclosedGroup, 7),
        ("/a(b\\)", UnclosedGroup, 2),
        ("/a)", StrayParenthesis, 2),
        ("/a()", EmptyGroup, 2),
        ("/(?!api)", BareGroup, 1),
        ("/x/(?:a|b)", BareGroup, 3),
        ("/((a)b)", CapturingGroup, 2),
        ("/([()])", CapturingGroup, 3),
        ("/:a((?<=x)b)", Expression(RegexpProblem::Lookbehind), 4),
        ("/:a(x\\1)", Expression(RegexpProblem::Backreference), 5),
        ("/:a((?:x?)*)", Expression(RegexpProblem::RepeatsEmpty), 4),
        ("/:a([)", Expression(RegexpProblem::UnclosedClass), 4),
        ("/é{/b", UnclosedBrace, 2),
        ("/a}", StrayBrace, 2),
        ("/{:a:b}", InBraces, 4),
        ("/{a{b}}", InBraces, 3),
        ("/{/:a?}", StrayModifier, 5),
        ("/*", StrayModifier, 1),
        ("/admin/*", StrayModifier, 7),
        ("/a?x=1", StrayModifier, 2),
        ("/:a**", StrayModifier, 4),
        ("/a-:b*", RepeatsWithoutPrefix, 5),
        ("/a(b)+", RepeatsWithoutPrefix, 5),
        ("/a{(b)}+", RepeatsWithoutPrefix, 7),
        ("/:", NoName, 1),
        ("/a/:/b", NoName, 3),
        ("/:é", NoName, 1),
        ("/:a:b", AdjacentParameters, 3),
        ("/:a(x):b", AdjacentParameters, 6),
        ("//", EmptySegment, 1),
        ("/a//b", EmptySegment, 3),
        ("/a//:b", EmptySegment, 3),
        ("/100%", Encoding, 1),
        ("/a/..", NeverMatches, 3),
        ("/../:a", NeverMatches, 1),
        ("/../x-:a", NeverMatches, 1),
        ("/a/%2e", NeverMatches, 3),
        ("/a%2fb", NeverMatches, 1),
        ("/a\\\\b", NeverMatches, 2),
        ("/a%00", NeverMatches, 1),
        ("/a#b", NotInPath, 2),
        ("/[id]", RouteFolder, 1),
        ("/blog/[...slug]", RouteFolder, 6),
        ("/[[...slug]]/x", RouteFolder, 1),
        ("/a\\", TrailingBackslash, 2),
    ] {
        assert_eq!(Pattern::parse(pattern).err(), Some(PatternError { problem, at }), "{pattern}");
    }
    let long = format!("/{}", "a".repeat(MAX_LENGTH));
    assert_eq!(Pattern::parse(&long).unwrap_err().problem, PatternProblem::TooLong);
    assert!(Pattern::parse(&long[..MAX_LENGTH]).is_ok());
    for large in ["/:a((?:x{1000}){1000})", "/:a(x{1001})", "/:a(x{99999999999})"] {
        let error = Pattern::parse(large).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
    }
    assert_eq!(
        Pattern::parse("/admin/(").unwrap_err().to_string(),
        "unclosed group: write \"\\(\" for the character itself (at position 7)"
    );
}

#[test]
fn patterns_are_found_by_their_first_segment_if_it_is_literal() {
    for (pattern, first) in [
        ("/", FirstSegment::None),
        ("/docs", FirstSegment::Literal("docs")),
        ("/docs/:slug(\\d+)", FirstSegment::Literal("docs")),
        ("/docs/:slug(\\d+)?", FirstSegment::Literal("docs")),
        ("/docs/(.*)", FirstSegment::Literal("docs")),
        ("/docs(/.*)?", FirstSegment::Literal("docs")),
        ("/docs{/v:n(\\d+)}*/x", FirstSegment::Literal("docs")),
        ("/docs/a-:b-:c", FirstSegment::Literal("docs")),
        ("/docs{-x}?", FirstSegment::Anything),
        ("/docs(.*)", FirstSegment::Anything),
        ("/docs:x", FirstSegment::Anything),
        ("/([a-c])", FirstSegment::Anything),
        ("/doc([a-z])/x", FirstSegment::Anything),
        ("/:lang(en|de)?/docs", FirstSegment::Anything),
        ("/(en|de)/docs", FirstSegment::Anything),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap().first_segment(), first, "{pattern}");
    }
}

#[test]
fn the_first_character_of_a_path_excludes_most_expressions() {
    for (pattern, path, may) in [
        ("/:id(\\d+)/edit", "/7/x", true),
        ("/:id(\\d+)/edit", "/a/edit", false),
        ("/:id(\\d+)/edit", "/", false),
        ("/(en|de)/:x*", "/english", true),
        ("/(en|de)/:x*", "/fr", false),
        ("/((?!api).*)", "/", true),
        ("/:a(x)?/y", "/z", true),
        ("/a:b(.*)", "/b", false),
    ] {
        let path = CanonicalPath::new(path).unwrap();
        let pattern = Pattern::parse(pattern).unwrap();
        assert_eq!(
            pattern.may_match(&Reading::new(path.segments(), Case::Matters, &Budget::new())),
            may,
            "{pattern}"
        );
    }
}

#[test]
fn work_bombs_many_repetitions_are_matched_in_linear_time() {
    let long = CanonicalPath::new(&format!("/{}", "a".repeat(16_000))).unwrap();
    for (pattern, path) in [
        (format!("{}/end", "/:a*".repeat(200)), CanonicalPath::new(&"/a".repeat(8000)).unwrap()),
        (
            format!("/{}x", ":a-".repeat(100)),
            CanonicalPath::new(&format!("/{}", "-".repeat(16_000))).unwrap(),
        ),
        // A backtracking engine would try these in 2^16000 ways.
        ("/((?:a+)+b)".to_owned(), long.clone()),
        ("/((?:a|aa)+b)".to_owned(), long.clone()),
        ("/((?:a|a)+b)".to_owned(), long.clone()),
        ("/(.*a.*a.*a.*a.*a.*b)".to_owned(), long.clone()),
        ("/((?:(?!(?:a+)+b)a)+b)".to_owned(), long),
    ] {
        assert!(!Pattern::parse(&pattern).unwrap().matches(&path), "{pattern}");
    }
}

#[test]
fn letters_match_in_any_case_only_where_case_does_not_matter() {
    for (pattern, path) in [
        ("/User", "/user"),
        ("/User-:id", "/user-1"),
        ("/user-:id", "/User-1"),
        ("/:a?/User-:id", "/x/user-1"),
        ("/:name.PDF", "/a.pdf"),
        ("/User-:id(\\d+)", "/user-1"),
    ] {
        let (pattern, path) = (Pattern::parse(pattern).unwrap(), CanonicalPath::new(path).unwrap());
        let matches = |case| pattern.matches_reading(&Reading::new(path.segments(), case, &Budget::new()));
        assert_eq!([Case::Matters, Case::Ignored].map(matches), [false, true], "{pattern:?}");
    }
}

#[test]
fn work_bombs_optional_parts_cost_four_units_for_each_of_them_and_each_segment() {
    let pattern = Pattern::parse(&format!("{}/x", "/:a*".repeat(19))).unwrap();
    let path = CanonicalPath::new(&"/a".repeat(50)).unwrap();
    let budget = Budget::new();
    assert!(!pattern.matches_reading(&Reading::new(path.segments(), Case::Matters, &budget)));
    assert_eq!(budget.spent(), 4 * 20 * 50);
    // Where nothing follows the one that repeats, its number of segments decides.
    let pattern = Pattern::parse("/a/:path*").unwrap();
    let budget = Budget::new();
    assert!(pattern.matches_reading(&Reading::new(path.segments(), Case::Matters, &budget)));
    assert_eq!(budget.spent(), 0);
}

proptest! {
    #[test]
    fn any_text_is_a_valid_pattern_or_has_an_error_at_a_position_within_it(
        text in "/?([:*+?(){}\\[\\]\\\\/%#|.^$!=<>-]|[a-z0-9]|\\\\[a-zA-Z]|\\(\\?[:=!<]|\\PC){0,16}"
    ) {
        match Pattern::parse(&text) {
            Ok(pattern) => {
                for path in ["/", "/a", "/a/b", "/7.x-y"] {
                    let path = CanonicalPath::new(path).unwrap();
                    let budget = Budget::new();
                    let reading = Reading::new(path.segments(), Case::Matters, &budget);
                    if pattern.matches_reading(&reading) {
                        prop_assert!(pattern.may_match(&reading));
                        let first = reading.segments.first().map_or("", String::as_str);
                        match pattern.first_segment() {
                            FirstSegment::None => prop_assert_eq!(first, ""),
                            FirstSegment::Literal(literal) => prop_assert_eq!(first, literal),
                            FirstSegment::Anything => {}
                        }
                    }
                }
            }
            Err(error) => prop_assert!(error.at <= text.chars().count()),
        }
    }
}

#[test]
fn the_last_segment_is_the_name_of_a_file_only_if_it_is_text() {
    for (pattern, last) in [
        ("/docs/index.html", Some("index.html")),
        ("/docs/index.html/", Some("index.html")),
        ("/:lang/report.html", Some("report.html")),
        ("/", None),
        ("/docs/:name.html", None),
        ("/docs/(.*).html", None),
        ("/docs{/a.html}?", None),
        ("/docs/a\\.html", None),
        ("/docs/%61.html", None),
    ] {
        assert_eq!(Pattern::parse(pattern).unwrap().last_segment(), last, "{pattern}");
    }
}
