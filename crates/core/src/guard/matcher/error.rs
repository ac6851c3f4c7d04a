//! What can be wrong in a pattern.

use thiserror::Error;

use crate::guard::regexp::RegexpProblem;

/// Longer patterns are refused: the time to match one grows with its length.
pub(super) const MAX_LENGTH: usize = 1024;

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem} (at position {at})")]
pub struct PatternError {
    /// What is wrong.
    pub problem: PatternProblem,
    /// The character where it is wrong, counted from 0.
    pub at: usize,
}

/// What can be wrong in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternProblem {
    /// It does not begin with `/`.
    #[error("the pattern must begin with \"/\"")]
    NoSlash,
    /// It is longer than 1024 bytes.
    #[error("the pattern is longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Its expressions would take too long to match.
    #[error("the pattern is too large and would take too long to match")]
    TooLarge,
    /// `(` without its partner.
    #[error("\"(\" has no matching \")\"; for the character itself, write \"\\(\"")]
    UnclosedGroup,
    /// `)` without its partner.
    #[error("\")\" has no matching \"(\"; for the character itself, write \"\\)\"")]
    StrayParenthesis,
    /// `()`
    #[error("the group is empty")]
    EmptyGroup,
    /// `/(?:…)`
    #[error("a group cannot begin with \"?\" here; put parentheses around it, like \"((?!api).*)\"")]
    BareGroup,
    /// What is in parentheses is no expression that can be matched.
    #[error("{0}")]
    Expression(RegexpProblem),
    /// `{` without its partner.
    #[error("\"{{\" has no matching \"}}\"; for the character itself, write \"\\{{\"")]
    UnclosedBrace,
    /// `}` without its partner.
    #[error("\"}}\" has no matching \"{{\"; for the character itself, write \"\\}}\"")]
    StrayBrace,
    /// `{:a:b}`
    #[error("braces can contain text and at most one parameter")]
    InBraces,
    /// `*`, `+` or `?` that belongs to no parameter.
    #[error("\"*\", \"+\" and \"?\" must directly follow a parameter or braces, like \"/admin/:path*\"")]
    StrayModifier,
    /// `/a-:b*`.
    #[error(
        "a parameter with \"*\" or \"+\" must follow a slash, or be in braces together with the text that repeats"
    )]
    RepeatsWithoutPrefix,
    /// `/:`
    #[error(
        "\":\" must be followed by a name of letters, digits and \"_\"; for the character itself, write \"\\:\""
    )]
    NoName,
    /// `/:a:b`
    #[error("two parameters of one segment need text between them")]
    AdjacentParameters,
    /// `//`
    #[error("the pattern has an empty segment, which no path has; remove one slash")]
    EmptySegment,
    /// A `%` that encodes nothing.
    #[error("\"%\" must be followed by two hexadecimal digits; for the character itself, write \"%25\"")]
    Encoding,
    /// Text that every path with it is refused for.
    #[error(
        "no request reaches this segment: paths with dot segments, encoded slashes, backslashes or control characters are rejected"
    )]
    NeverMatches,
    /// `#`
    #[error(
        "a pattern matches the path only, without query and fragment; for the character \"#\", write \"%23\""
    )]
    NotInPath,
    /// A backslash at the end.
    #[error("a character must follow the backslash")]
    TrailingBackslash,
}
