//! The matcher against the real path-to-regexp 6.3 and JavaScript's own `RegExp`.

#![allow(unreachable_pub, reason = "a test has no API: pub is for its other files")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first thing that is wrong"
)]

mod explain;
mod generate;
mod javascript;

use std::collections::BTreeMap;

use vestibule_core::guard::conditions::{Condition, Source, ValuePattern};
use vestibule_core::guard::matcher::{Pattern, PatternProblem, RegexpProblem};
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::http::request::{Method, Request, RequestUrl};

use generate::{SeededRandom, encoded};
use javascript::{Answer, Job};

/// How many patterns; each is matched against about thirty paths.
const PATTERNS: usize = 6000;
const VALUES: usize = 2000;

#[test]
fn patterns_match_what_path_to_regexp_matches() {
    let seed = generate::seed();
    let mut dice = SeededRandom::new(seed);
    let jobs: Vec<Job> = (0..PATTERNS).map(|_| generate::pattern(&mut dice)).collect();
    let answers = javascript::ask(&jobs);
    let (mut compared, mut matched) = (0, 0);
    let mut refused: BTreeMap<String, usize> = BTreeMap::new();
    for (job, answer) in jobs.iter().zip(answers) {
        let source = &job.source;
        match (Pattern::parse(source), answer) {
            (Ok(pattern), Answer::Matches(theirs)) => {
                for (text, theirs) in job.texts.iter().zip(theirs) {
                    let Ok(path) = CanonicalPath::new(&encoded(text)) else { continue };
                    let ours = pattern.matches(&path);
                    assert!(
                        theirs.iter().all(|theirs| *theirs == ours),
                        "{source} {text}: {ours}, seed {seed}"
                    );
                    compared += 1;
                    matched += usize::from(ours);
                }
            }
            (Ok(_), Answer::Error(why)) => {
                panic!("{source} is taken, by path-to-regexp not: {why}, seed {seed}")
            }
            (Err(_), Answer::Error(_)) => *refused.entry("by both".to_owned()).or_default() += 1,
            (Err(why), Answer::Matches(_)) => {
                assert!(is_documented(why.problem), "{source}: {why}, seed {seed}");
                *refused.entry(format!("{:?}", why.problem)).or_default() += 1;
            }
        }
    }
    println!("seed {seed}: {compared} pairs compared, {matched} matched; refused: {refused:?}");
    assert!(compared >= 100_000 && matched >= compared / 10, "{compared} {matched}");
}

#[test]
fn values_match_what_javascript_matches() {
    let seed = generate::seed();
    let mut dice = SeededRandom::new(seed);
    let jobs: Vec<Job> = (0..VALUES).map(|_| generate::value(&mut dice)).collect();
    let answers = javascript::ask(&jobs);
    let (mut compared, mut matched) = (0, 0);
    for (job, answer) in jobs.iter().zip(answers) {
        let source = &job.source;
        match (ValuePattern::parse(source), answer) {
            (Ok(value), Answer::Matches(theirs)) => {
                let condition = Condition { source: Source::Header("x".to_owned()), value: Some(value) };
                for (text, theirs) in job.texts.iter().zip(theirs).filter(|(text, _)| !text.is_empty()) {
                    let request = Request {
                        method: Method::Get,
                        url: RequestUrl::parse("https://h/").unwrap(),
                        headers: [("x", text.as_str())].into_iter().collect(),
                    };
                    assert_eq!([condition.is_met(&request)], *theirs, "{source} {text}, seed {seed}");
                    compared += 1;
                    matched += usize::from(theirs[0]);
                }
            }
            (Ok(_), Answer::Error(why)) => panic!("{source} is taken, by JavaScript not: {why}, seed {seed}"),
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

/// What docs/guard.md says is refused though path-to-regexp takes it.
fn is_documented(problem: PatternProblem) -> bool {
    use PatternProblem::{
        EmptySegment, Encoding, Expression, NeverMatches, NotInPath, StrayParenthesis, TooLarge,
    };
    use RegexpProblem::{
        Backreference, BareAlternatives, BeyondBasic, EmptyClass, Escape, LookBehind, RepeatsCondition,
        RepeatsNothing, StrayBracket, TrailingBackslash, UnclosedClass,
    };
    matches!(
        problem,
        TooLarge
            | NotInPath
            | EmptySegment
            | NeverMatches
            | Encoding
            // Text to path-to-regexp, and nothing.
            | StrayParenthesis
            | PatternProblem::TrailingBackslash
            | Expression(
                RegexpProblem::TooLarge
                    | Backreference
                    | BareAlternatives
                    | BeyondBasic
                    | EmptyClass
                    | Escape
                    | LookBehind
                    | RepeatsCondition
                    | RepeatsNothing
                    | StrayBracket
                    // `^value$` makes another character of the dollar sign.
                    | TrailingBackslash
                    // What path-to-regexp writes behind it may close it by accident: "/([)!:y".
                    | UnclosedClass
            )
    )
}
