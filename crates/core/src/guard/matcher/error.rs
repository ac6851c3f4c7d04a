//! What can be wrong in a pattern.

use thiserror::Error;

use crate::guard::regexp::RegexpProblem;

/// Longer patterns are refused: the time to match one grows with its length.
pub(super) const MAX_LENGTH: usize = 1024;

/// Why a text is no pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem} at {at}")]
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
    #[error("a pattern begins with a slash, and does not")]
    NoSlash,
    /// It is longer than 1024 bytes.
    #[error("a pattern has at most {MAX_LENGTH} bytes, and has more")]
    TooLong,
    /// Its expressions would take too long to match.
    #[error("too large: matching it would take too much time;")]
    TooLarge,
    /// `(` without its partner.
    #[error("unclosed group (write \"\\(\" for the character)")]
    UnclosedGroup,
    /// `)` without its partner.
    #[error("\")\" closes no group (write \"\\)\" for the character);")]
    StrayParenthesis,
    /// `()`
    #[error("an empty group;")]
    EmptyGroup,
    /// `/(?:…)`
    #[error(
        "a parameter cannot begin with \"?\": write another pair of parentheses around it, like \"((?!api).*)\";"
    )]
    BareGroup,
    /// What is in parentheses is no expression that can be matched.
    #[error("{0}")]
    Expression(RegexpProblem),
    /// `{` without its partner.
    #[error("unclosed brace (write \"\\{{\" for the character)")]
    UnclosedBrace,
    /// `}` without its partner.
    #[error("\"}}\" closes nothing (write \"\\}}\" for the character);")]
    StrayBrace,
    /// `{:a:b}`
    #[error("braces hold text, at most one parameter, and text;")]
    InBraces,
    /// `*`, `+` or `?` that belongs to no parameter.
    #[error("\"*\", \"+\" and \"?\" stand right behind a parameter or braces, like \"/admin/:path*\";")]
    StrayModifier,
    /// `/a-:b*`.
    #[error(
        "a parameter with \"*\" or \"+\" has to stand behind a slash or with text in braces, which is repeated too;"
    )]
    RepeatsWithoutPrefix,
    /// `/:`
    #[error(
        "a parameter needs a name of letters, digits and \"_\" behind its colon (write \"\\:\" for the character);"
    )]
    NoName,
    /// `/:a:b`
    #[error("there must be text between two parameters of a segment;")]
    AdjacentParameters,
    /// `//`
    #[error("no path has an empty segment;")]
    EmptySegment,
    /// A `%` that encodes nothing.
    #[error("broken percent-encoding (write \"%25\" for the character);")]
    Encoding,
    /// Text that every path with it is refused for.
    #[error("no path has such a segment: dot segments, slashes, backslashes and controls are refused;")]
    NeverMatches,
    /// `#`
    #[error("a pattern is for the path alone: no query and no fragment (write \"%23\" for the character);")]
    NotInPath,
    /// A backslash at the end.
    #[error("a backslash takes the meaning of the character behind it, and there is none;")]
    TrailingBackslash,
}
