//! Path patterns against path-to-regexp, and the values of conditions against JavaScript's regular expressions.

use serde_json::Value;
use vestibule_core::guard::budget::Budget;
use vestibule_core::guard::conditions::{Condition, Source, ValuePattern};
use vestibule_core::guard::matcher::{Pattern, PatternProblem, RegexpProblem};
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::http::request::{Method, Request, RequestUrl};

use super::patterns;
use crate::deliberate::{Deliberate, find, rows};
use crate::{Answer, Family, Verdict};

/// Path patterns.
pub(super) const FAMILY: Family = Family {
    name: "matcher",
    about: "patterns of Next.js's `matcher`, each with some thirty paths: path-to-regexp 6.3",
    share: 260,
    slice: 4000,
    generate: patterns::pattern,
    shrinks: &["source", "texts"],
    judge,
    deliberate: || rows(REFUSED),
};

/// Values of `has` and `missing`.
pub(super) const VALUE: Family = Family {
    name: "value",
    about: "values of `has` and `missing`, each with some twenty texts: JavaScript's `RegExp`",
    share: 100,
    slice: 1500,
    generate: patterns::value,
    shrinks: &["source", "texts"],
    judge: judge_value,
    deliberate: || rows(REFUSED_VALUES),
};

type Is = fn(&PatternProblem) -> bool;

const fn row(name: &'static str, reason: &'static str, is: Is) -> Deliberate<Is> {
    Deliberate { name, reason, is }
}

/// Patterns that path-to-regexp compiles. The rows look at our own reason: that a pattern is refused opens nothing, because
/// a configuration with one is not deployed.
const REFUSED: &[Deliberate<Is>] = &[
    row("a pattern that no path matches", "a rule that never applies is a mistake", |problem| {
        matches!(problem, PatternProblem::NeverMatches | PatternProblem::EmptySegment)
    }),
    row(
        "characters that no path has",
        "`?`, `#` and broken percent-encoding never match a decoded path",
        |problem| matches!(problem, PatternProblem::NotInPath | PatternProblem::Encoding),
    ),
    row(
        "a stray parenthesis, bracket or backslash",
        "path-to-regexp reads it as text; more likely it is a mistake",
        |problem| {
            matches!(
                problem,
                PatternProblem::StrayParenthesis
                    | PatternProblem::RouteFolder
                    | PatternProblem::TrailingBackslash
                    | PatternProblem::Expression(RegexpProblem::TrailingBackslash)
            )
        },
    ),
    row("an expression that is too large", "work for one request is bounded", |problem| {
        matches!(problem, PatternProblem::TooLarge | PatternProblem::Expression(RegexpProblem::TooLarge))
    }),
    row(
        "a backreference or a lookbehind",
        "neither can be matched in bounded time by the engine",
        |problem| {
            matches!(
                problem,
                PatternProblem::Expression(RegexpProblem::Backreference | RegexpProblem::Lookbehind)
            )
        },
    ),
    row("a repetition of nothing", "JavaScript stops such a repetition by a rule of its own", |problem| {
        matches!(
            problem,
            PatternProblem::Expression(RegexpProblem::RepeatsAssertion | RegexpProblem::RepeatsEmpty)
        )
    }),
    row(
        "a bracket or an escape with a second meaning",
        "JavaScript's old syntax reads it as text",
        |problem| {
            matches!(
                problem,
                PatternProblem::Expression(
                    RegexpProblem::StrayBracket
                        | RegexpProblem::UnclosedClass
                        | RegexpProblem::EmptyClass
                        | RegexpProblem::Escape
                )
            )
        },
    ),
];

type IsOfValue = fn(&RegexpProblem) -> bool;

const fn value_row(name: &'static str, reason: &'static str, is: IsOfValue) -> Deliberate<IsOfValue> {
    Deliberate { name, reason, is }
}

/// Values that JavaScript compiles.
const REFUSED_VALUES: &[Deliberate<IsOfValue>] = &[
    value_row("an expression that is too large", "work for one request is bounded", |problem| {
        matches!(problem, RegexpProblem::TooLarge)
    }),
    value_row(
        "alternatives without a group",
        "the anchors belong to the first and to the last one only",
        |problem| matches!(problem, RegexpProblem::BareAlternatives),
    ),
    value_row(
        "a backreference or a lookbehind",
        "neither can be matched in bounded time by the engine",
        |problem| matches!(problem, RegexpProblem::Backreference | RegexpProblem::Lookbehind),
    ),
    value_row(
        "a repetition of nothing",
        "JavaScript stops such a repetition by a rule of its own",
        |problem| matches!(problem, RegexpProblem::RepeatsAssertion | RegexpProblem::RepeatsEmpty),
    ),
    value_row(
        "a bracket, an escape or a backslash with a second meaning",
        "JavaScript's old syntax reads it as text",
        |problem| {
            matches!(
                problem,
                RegexpProblem::StrayBracket
                    | RegexpProblem::UnclosedClass
                    | RegexpProblem::EmptyClass
                    | RegexpProblem::Escape
                    | RegexpProblem::TrailingBackslash
            )
        },
    ),
];

fn texts(case: &Value) -> impl Iterator<Item = &str> {
    case["texts"].as_array().into_iter().flatten().map(|text| text.as_str().unwrap_or_default())
}

/// For each text, the result of each way to compile the pattern.
fn expected(answer: &Value) -> Vec<Vec<bool>> {
    serde_json::from_value(answer.clone()).expect("results of path-to-regexp")
}

fn judge(case: &Value, answer: &Answer) -> Verdict {
    let source = case["source"].as_str().unwrap_or_default();
    if !source.starts_with('/') {
        // Next.js refuses it before it asks path-to-regexp.
        return Verdict::BothRefuse;
    }
    match (Pattern::parse(source), answer) {
        (Ok(pattern), Ok(answer)) => {
            for (text, expected) in texts(case).zip(expected(answer)) {
                // To the guard a slash at the end makes no difference.
                let is_of_guard = text.starts_with('/') && (text == "/" || !text.ends_with('/'));
                let Ok(path) = CanonicalPath::new(&encoded(text)) else { continue };
                if !is_of_guard {
                    continue;
                }
                let found = pattern.matches(&path);
                if expected.iter().any(|expected| *expected != found) {
                    return Verdict::Different(format!(
                        "{source:?} and {text:?}: we say {found}, path-to-regexp {expected:?}"
                    ));
                }
            }
            Verdict::BothAccept
        }
        (Ok(_), Err(why)) => Verdict::Different(format!("{source:?} is accepted; path-to-regexp: {why}")),
        (Err(_), Err(_)) => Verdict::BothRefuse,
        (Err(why), Ok(_)) => find(REFUSED, |is| is(&why.problem))
            .map_or_else(|| Verdict::Different(format!("{source:?} is refused: {why}")), Verdict::Deliberate),
    }
}

fn judge_value(case: &Value, answer: &Answer) -> Verdict {
    let source = case["source"].as_str().unwrap_or_default();
    match (ValuePattern::parse(source), answer) {
        (Ok(value), Ok(answer)) => {
            let condition = Condition { source: Source::Header("x".to_owned()), value: Some(value) };
            for (text, expected) in texts(case).zip(expected(answer)).filter(|(text, _)| !text.is_empty()) {
                let request = Request {
                    method: Method::Get,
                    url: RequestUrl::parse("https://h/").unwrap(),
                    headers: [("x", text)].into_iter().collect(),
                };
                let found = condition.is_met(&request, &Budget::new());
                if expected != [found] {
                    return Verdict::Different(format!(
                        "{source:?} and {text:?}: we say {found}, JavaScript {expected:?}"
                    ));
                }
            }
            Verdict::BothAccept
        }
        (Ok(_), Err(why)) => Verdict::Different(format!("{source:?} is accepted; JavaScript: {why}")),
        (Err(_), Err(_)) => Verdict::BothRefuse,
        (Err(why), Ok(_)) => find(REFUSED_VALUES, |is| is(&why.problem))
            .map_or_else(|| Verdict::Different(format!("{source:?} is refused: {why}")), Verdict::Deliberate),
    }
}

/// A path with percent-encoding, as a client sends it.
fn encoded(path: &str) -> String {
    path.chars()
        .map(|c| {
            if c == '/' || c.is_ascii_alphanumeric() || "-._~".contains(c) {
                return c.to_string();
            }
            c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat()
        })
        .collect()
}
