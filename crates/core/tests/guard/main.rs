//! Compares the matcher with the real path-to-regexp 6.3 and JavaScript's own `RegExp`.

#![allow(unreachable_pub, reason = "pub is for the other files of this test, which has no API")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test may panic"
)]

mod explain;
mod generate;
mod javascript;

use std::collections::BTreeMap;

use vestibule_core::guard::budget::Budget;
use vestibule_core::guard::conditions::{Condition, Source, ValuePattern};
use vestibule_core::guard::matcher::{Pattern, PatternProblem, RegexpProblem};
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::http::request::{Method, Request, RequestUrl};

use generate::{SeededRandom, encoded};
use javascript::{Answer, Job};

/// How many patterns are compared. Each is matched against about thirty paths.
const PATTERNS: usize = 6000;
const VALUES: usize = 2000;

#[test]
fn patterns_match_what_path_to_regexp_matches() {
    let seed = generate::seed();
    let mut random = SeededRandom::new(seed);
    let jobs: Vec<Job> = (0..PATTERNS).map(|_| generate::pattern(&mut random)).collect();
    let answers = javascript::ask(&jobs);
    let (mut compared, mut matched) = (0, 0);
    let mut rejected: BTreeMap<String, usize> = BTreeMap::new();
    for (job, answer) in jobs.iter().zip(answers) {
        let source = &job.source;
        match (Pattern::parse(source), answer) {
            (Ok(pattern), Answer::Matches(expected)) => {
                for (text, expected) in job.texts.iter().zip(expected) {
                    let Ok(path) = CanonicalPath::new(&encoded(text)) else { continue };
                    let actual = pattern.matches(&path);
                    assert!(
                        expected.iter().all(|expected| *expected == actual),
                        "{source} {text}: {actual}, seed {seed}"
                    );
                    compared += 1;
                    matched += usize::from(actual);
                }
            }
            (Ok(_), Answer::Error(why)) => {
                panic!("{source} is accepted, but path-to-regexp rejects it: {why}, seed {seed}")
            }
            (Err(_), Answer::Error(_)) => *rejected.entry("by both".to_owned()).or_default() += 1,
            (Err(why), Answer::Matches(_)) => {
                assert!(is_documented(why.problem), "{source}: {why}, seed {seed}");
                *rejected.entry(format!("{:?}", why.problem)).or_default() += 1;
            }
        }
    }
    println!("seed {seed}: {compared} pairs compared, {matched} matched; rejected: {rejected:?}");
    assert!(compared >= 100_000 && matched >= compared / 10, "{compared} {matched}");
}

#[test]
fn values_match_what_javascript_matches() {
    let seed = generate::seed();
    let mut random = SeededRandom::new(seed);
    let jobs: Vec<Job> = (0..VALUES).map(|_| generate::value(&mut random)).collect();
    let answers = javascript::ask(&jobs);
    let (mut compared, mut matched) = (0, 0);
    for (job, answer) in jobs.iter().zip(answers) {
        let source = &job.source;
        match (ValuePattern::parse(source), answer) {
            (Ok(value), Answer::Matches(expected)) => {
                let condition = Condition { source: Source::Header("x".to_owned()), value: Some(value) };
                for (text, expected) in job.texts.iter().zip(expected).filter(|(text, _)| !text.is_empty()) {
                    let request = Request {
                        method: Method::Get,
                        url: RequestUrl::parse("https://h/").unwrap(),
                        headers: [("x", text.as_str())].into_iter().collect(),
                    };
                    assert_eq!(
                        [condition.is_met(&request, &Budget::new())],
                        *expected,
                        "{source} {text}, seed {seed}"
                    );
                    compared += 1;
                    matched += usize::from(expected[0]);
                }
            }
            (Ok(_), Answer::Error(why)) => {
                panic!("{source} is accepted, but JavaScript rejects it: {why}, seed {seed}")
            }
            (Err(why), Answer::Matches(_)) => {
                assert!(
                    is_documented(PatternProblem::Expression(why.problem)),
                    "{source}: {why}, seed {seed}"
                );
            }
            (Err(_), Answer::Error(_)) => {}
        }
    }
    println!("seed {seed}: {compared} pairs compared, {matched} matched");
    assert!(compared >= 10_000 && matched >= compared / 20, "{compared} {matched}");
}

/// Whether docs/guard.md says that this is rejected although path-to-regexp accepts it.
fn is_documented(problem: PatternProblem) -> bool {
    use PatternProblem::{
        EmptySegment, Encoding, Expression, NeverMatches, NotInPath, StrayParenthesis, TooLarge,
    };
    use RegexpProblem::{
        Backreference, BareAlternatives, BeyondBmp, EmptyClass, Escape, Lookbehind, RepeatsAssertion,
        RepeatsEmpty, StrayBracket, TrailingBackslash, UnclosedClass,
    };
    matches!(
        problem,
        TooLarge
            | NotInPath
            | EmptySegment
            | NeverMatches
            | Encoding
            // path-to-regexp reads it as text.
            | StrayParenthesis
            | PatternProblem::TrailingBackslash
            | Expression(
                RegexpProblem::TooLarge
                    | Backreference
                    | BareAlternatives
                    | BeyondBmp
                    | EmptyClass
                    | Escape
                    | Lookbehind
                    | RepeatsAssertion
                    | RepeatsEmpty
                    | StrayBracket
                    // In `^value$` the backslash would escape the dollar sign.
                    | TrailingBackslash
                    // The text that path-to-regexp appends may close the class by accident: "/([)!:y".
                    | UnclosedClass
            )
    )
}
