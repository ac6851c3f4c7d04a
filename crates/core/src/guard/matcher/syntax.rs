//! Reads a pattern into tokens, as path-to-regexp 6.3 does.

use super::{PatternError, PatternProblem};
use crate::guard::path::is_control;
use crate::guard::regexp::{self, Node};
use vestibule_oidc::http::percent;

/// A token of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// Text, decoded.
    Text(String),
    /// `:name`, `(…)` or `{…}`, with its prefix, suffix and modifier.
    Parameter { prefix: String, value: Value, suffix: String, modifier: Modifier },
}

/// What a parameter matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// Nothing: `{text}`.
    Nothing,
    /// `:name`: one or more characters of one segment. If the text before it has no slash, that text (`without`) does
    /// not occur in the parameter, so that there is only one way to match.
    Segment { without: Option<String> },
    /// An expression in parentheses.
    Expression(Node),
}

/// How often a parameter may occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Modifier {
    Once,
    /// `?`
    Optional,
    /// `*`
    Any,
    /// `+`
    Some,
}

/// Reads a whole pattern.
pub(super) fn tokens(source: &str) -> Result<Vec<Token>, PatternError> {
    let chars: Vec<char> = source.chars().collect();
    if chars.first() != Some(&'/') {
        return Err(PatternError { problem: PatternProblem::NoSlash, at: 0 });
    }
    let mut parser = Parser { chars: &chars, at: 0, tokens: Vec::new(), text: Vec::new() };
    while let Some(c) = parser.peek() {
        parser.step(c)?;
    }
    parser.finish_text(true)?;
    Ok(parser.tokens)
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    tokens: Vec<Token>,
    /// Text that is not a token yet, each character with its place.
    text: Vec<(char, usize)>,
}

impl Parser<'_> {
    fn step(&mut self, c: char) -> Result<(), PatternError> {
        let here = self.at;
        match c {
            ':' | '(' => self.parameter(None),
            // Only these two characters are part of the parameter that follows them.
            '/' | '.' if matches!(self.chars.get(here + 1), Some(':' | '(')) => {
                self.at += 1;
                self.parameter(Some(c))
            }
            '{' => self.braces(),
            '}' => Err(error(PatternProblem::StrayBrace, here)),
            ')' => Err(error(PatternProblem::StrayParenthesis, here)),
            '*' | '+' | '?' => Err(error(PatternProblem::StrayModifier, here)),
            _ => self.character(),
        }
    }

    /// One character of text.
    fn character(&mut self) -> Result<(), PatternError> {
        let here = self.at;
        let mut c = self.next();
        if c == Some('#') {
            return Err(error(PatternProblem::NotInPath, here));
        }
        if c == Some('[') && self.is_route_folder(here) {
            return Err(error(PatternProblem::RouteFolder, here));
        }
        if c == Some('\\') {
            c = self.next();
            if c == Some('\\') {
                return Err(error(PatternProblem::NeverMatches, here));
            }
        }
        let c = c.ok_or(error(PatternProblem::TrailingBackslash, here))?;
        self.text.push((c, here));
        Ok(())
    }

    /// Whether a segment that begins here is `[name]`, `[...name]` or `[[...name]]`.
    fn is_route_folder(&self, start: usize) -> bool {
        let begins = start.checked_sub(1).and_then(|before| self.chars.get(before)) == Some(&'/');
        let rest = self.chars.get(start..).unwrap_or_default();
        let segment: String = rest.iter().take_while(|c| **c != '/').collect();
        let between = |before: &str, after: &str| segment.strip_prefix(before)?.strip_suffix(after);
        let name = between("[[...", "]]").or_else(|| between("[...", "]")).or_else(|| between("[", "]"));
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
        };
        begins && name.is_some_and(is_name)
    }

    /// `:name`, `:name(…)` or `(…)`, after `prefix`.
    fn parameter(&mut self, prefix: Option<char>) -> Result<(), PatternError> {
        let start = self.at;
        self.finish_text(prefix == Some('/'))?;
        if prefix == Some('/') && matches!(self.tokens.last(), Some(Token::Text(text)) if text.ends_with('/'))
        {
            return Err(error(PatternProblem::EmptySegment, start - 1));
        }
        let prefix = prefix.map(String::from).unwrap_or_default();
        let is_named = self.name()?;
        let expression = self.expression()?;
        debug_assert!(is_named || expression.is_some(), "a parameter must begin with a colon or parenthesis");
        let value = match expression {
            Some(expression) => Value::Expression(expression),
            None => self.segment(&prefix, start)?,
        };
        let modifier = self.modifier();
        if prefix.is_empty() && matches!(modifier, Modifier::Any | Modifier::Some) {
            return Err(error(PatternProblem::RepeatsWithoutPrefix, self.at - 1));
        }
        self.tokens.push(Token::Parameter { prefix, value, suffix: String::new(), modifier });
        Ok(())
    }

    /// `{…}`: text, at most one parameter, text.
    fn braces(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        self.finish_text(false)?;
        self.at += 1;
        let prefix = self.text_in_braces()?;
        let name_at = self.at;
        let is_named = self.name()?;
        let value = match self.expression()? {
            Some(expression) => Value::Expression(expression),
            None if is_named => self.segment(&prefix, name_at)?,
            None => Value::Nothing,
        };
        let suffix = self.text_in_braces()?;
        match self.peek() {
            Some('}') => self.at += 1,
            None => return Err(error(PatternProblem::UnclosedBrace, start)),
            Some('*' | '+' | '?') => return Err(error(PatternProblem::StrayModifier, self.at)),
            Some(')') => return Err(error(PatternProblem::StrayParenthesis, self.at)),
            Some(_) => return Err(error(PatternProblem::InBraces, self.at)),
        }
        let modifier = self.modifier();
        let is_bare = prefix.is_empty() && suffix.is_empty();
        if is_bare && value != Value::Nothing && matches!(modifier, Modifier::Any | Modifier::Some) {
            return Err(error(PatternProblem::RepeatsWithoutPrefix, self.at - 1));
        }
        self.tokens.push(Token::Parameter { prefix, value, suffix, modifier });
        Ok(())
    }

    fn text_in_braces(&mut self) -> Result<String, PatternError> {
        while self.peek().is_some_and(|c| !matches!(c, ':' | '(' | ')' | '{' | '}' | '*' | '+' | '?')) {
            self.character()?;
        }
        text(&std::mem::take(&mut self.text), false)
    }

    /// Reads `:name`, if it is next.
    fn name(&mut self) -> Result<bool, PatternError> {
        if self.peek() != Some(':') {
            return Ok(false);
        }
        let colon = self.at;
        self.at += 1;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
            self.at += 1;
        }
        if self.at == colon + 1 {
            return Err(error(PatternProblem::NoName, colon));
        }
        Ok(true)
    }

    /// Reads `(…)`, if it is next. All parentheses that no backslash precedes are counted and begin a group, even those in a
    /// class, as in path-to-regexp.
    fn expression(&mut self) -> Result<Option<Node>, PatternError> {
        if self.peek() != Some('(') {
            return Ok(None);
        }
        let start = self.at;
        self.at += 1;
        if self.peek() == Some('?') {
            return Err(error(PatternProblem::BareGroup, start));
        }
        let from = self.at;
        let mut open = 1;
        while open > 0 {
            match self.next() {
                Some('\\') => drop(self.next()),
                Some(')') => open -= 1,
                Some('(') if self.peek() == Some('?') => open += 1,
                Some('(') => return Err(error(PatternProblem::CapturingGroup, self.at - 1)),
                Some(_) => {}
                None => return Err(error(PatternProblem::UnclosedGroup, start)),
            }
        }
        let to = self.at - 1;
        if from == to {
            return Err(error(PatternProblem::EmptyGroup, start));
        }
        let node = regexp::parse(self.chars, from, to)
            .map_err(|inner| error(PatternProblem::Expression(inner.problem), inner.at))?;
        Ok(Some(node))
    }

    /// What a parameter without an expression matches.
    fn segment(&self, prefix: &str, at: usize) -> Result<Value, PatternError> {
        let before = match self.tokens.last() {
            _ if !prefix.is_empty() => prefix,
            Some(Token::Text(text)) => text,
            Some(Token::Parameter { .. }) => return Err(error(PatternProblem::AdjacentParameters, at)),
            None => "",
        };
        let without = (!before.is_empty() && !before.contains('/')).then(|| before.to_owned());
        Ok(Value::Segment { without })
    }

    fn modifier(&mut self) -> Modifier {
        let modifier = match self.peek() {
            Some('?') => Modifier::Optional,
            Some('*') => Modifier::Any,
            Some('+') => Modifier::Some,
            _ => return Modifier::Once,
        };
        self.at += 1;
        modifier
    }

    /// Makes a token of the text so far. `is_end` says whether a segment ends with it.
    fn finish_text(&mut self, is_end: bool) -> Result<(), PatternError> {
        if !self.text.is_empty() {
            let text = text(&std::mem::take(&mut self.text), is_end)?;
            self.tokens.push(Token::Text(text));
        }
        Ok(())
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }
}

/// Decodes text once, segment by segment, as paths are decoded.
/// `is_end` says whether the text's last segment is complete.
fn text(chars: &[(char, usize)], is_end: bool) -> Result<String, PatternError> {
    let mut decoded = String::new();
    let last = chars.iter().filter(|(c, _)| *c == '/').count();
    let mut at = chars.first().map_or(0, |(_, at)| *at);
    for (index, piece) in chars.split(|(c, _)| *c == '/').enumerate() {
        at = piece.first().map_or(at, |(_, at)| *at);
        let mut text = String::new();
        for (c, _) in piece {
            text.push(*c);
        }
        let text = percent::decode(&text).ok_or(error(PatternProblem::Encoding, at))?;
        let is_last = index == last;
        if index > 0 && !is_last && text.is_empty() {
            return Err(error(PatternProblem::EmptySegment, at));
        }
        let is_dots = index > 0 && (!is_last || is_end) && matches!(text.as_str(), "." | "..");
        if is_dots || text.contains(['/', '\\']) || text.contains(is_control) {
            return Err(error(PatternProblem::NeverMatches, at));
        }
        // The position after the slash.
        at = piece.last().map_or(at, |(_, at)| at + 1) + 1;
        if index > 0 {
            decoded.push('/');
        }
        decoded.push_str(&text);
    }
    Ok(decoded)
}

fn error(problem: PatternProblem, at: usize) -> PatternError {
    PatternError { problem, at }
}
