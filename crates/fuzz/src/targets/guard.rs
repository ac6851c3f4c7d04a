//! The patterns and expressions of the rules.

use vestibule_core::guard::budget::Budget;
use vestibule_core::guard::conditions::{Condition, Source, ValuePattern};
use vestibule_core::guard::matcher::Pattern;
use vestibule_core::guard::path::CanonicalPath;
use vestibule_core::http::request::{Method, Request, RequestUrl};

use crate::input::{error_shape, first_line, shape, text};
use crate::obvious::patterns;
use crate::obvious::regexp::Regexp;
use crate::{Shape, Target};

pub(super) const TARGETS: &[Target] = &[
    Target {
        name: "path_pattern",
        about: "path patterns, against path-to-regexp's algorithm and a backtracking matcher",
        reads: &["guard::matcher::Pattern::parse"],
        run: path_pattern,
        slice: 2000,
    },
    Target {
        name: "regular_expression",
        about: "regular expressions, against a backtracking matcher",
        reads: &["guard::conditions::ValuePattern::parse"],
        run: regular_expression,
        slice: 2000,
    },
];

/// The first line is a pattern, the others are paths.
fn path_pattern(input: &[u8]) -> Shape {
    let text = text(input);
    let (source, paths) = first_line(&text);
    let pattern = match Pattern::parse(source) {
        Ok(pattern) => pattern,
        Err(error) => return error_shape(error.problem),
    };
    // Here a slash at the end makes no difference, and literal text may be encoded.
    let source = if source.len() > 1 { source.trim_end_matches('/') } else { source };
    if source.contains('%') || source.ends_with('\\') {
        return shape("not compared");
    }
    let expression =
        patterns::to_regexp(source).unwrap_or_else(|| panic!("path-to-regexp throws: {source:?}"));
    let Some(regexp) = Regexp::parse(&expression) else { return shape("not known") };
    let (mut matched, mut compared) = (0, 0);
    for path in paths.split('\n').take(8) {
        let Ok(path) = CanonicalPath::new(path) else { continue };
        let written = format!("/{}", path.segments().join("/"));
        // To path-to-regexp these two end a segment. No server sends them to it.
        if written.contains(['#', '?']) || written.len() > 200 {
            continue;
        }
        let Some(expected) = regexp.matches(&written) else { continue };
        assert_eq!(pattern.matches(&path), expected, "{source:?} and {written:?}, by {expression}");
        compared += 1;
        matched += usize::from(expected);
    }
    shape((expression.matches('(').count().min(6), compared, matched))
}

/// The first line is an expression, the others are values.
fn regular_expression(input: &[u8]) -> Shape {
    let text = text(input);
    let (source, values) = first_line(&text);
    let pattern = match ValuePattern::parse(source) {
        Ok(pattern) => pattern,
        Err(error) => return error_shape(error.problem),
    };
    let Some(regexp) = Regexp::parse(&format!("^{source}$")) else { return shape("not known") };
    let condition = Condition { source: Source::Header("x".to_owned()), value: Some(pattern) };
    let (mut matched, mut compared) = (0, 0);
    for value in values.split('\n').filter(|value| (1..=60).contains(&value.len())).take(8) {
        let request = Request {
            method: Method::Get,
            url: RequestUrl::parse("https://app.example.com/").expect("a URL"),
            headers: [("x", value)].into_iter().collect(),
        };
        let budget = Budget::new();
        let actual = condition.is_met(&request, &budget);
        let Some(expected) = regexp.matches(value).filter(|_| !budget.is_exhausted()) else { continue };
        assert_eq!(actual, expected, "{source:?} and {value:?}");
        compared += 1;
        matched += usize::from(expected);
    }
    shape((source.len().min(12), compared, matched))
}
