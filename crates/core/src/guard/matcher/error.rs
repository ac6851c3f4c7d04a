//! Errors in patterns.

use thiserror::Error;

use crate::guard::regexp::RegexpProblem;

/// The maximum length of a pattern in bytes: the time to match a pattern grows with its length.
pub(super) const MAX_LENGTH: usize = 1024;

/// An error in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem} (at position {at})")]
pub struct PatternError {
    /// What is wrong.
    pub problem: PatternProblem,
    /// The position of the character where the problem is, counted from 0.
    pub at: usize,
}

/// What can be wrong in a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PatternProblem {
    /// It does not begin with `/`.
    #[error("a pattern must begin with a slash")]
    NoSlash,
    /// It is longer than 1024 bytes.
    #[error("a pattern must not be longer than {MAX_LENGTH} bytes")]
    TooLong,
    /// Its expressions would take too long to match.
    #[error("too large: matching this would take too much time")]
    TooLarge,
    /// `(` without `)`.
    #[error("unclosed group: write \"\\(\" for the character itself")]
    UnclosedGroup,
    /// `)` without `(`.
    #[error("\")\" without \"(\": write \"\\)\" for the character itself")]
    StrayParenthesis,
    /// `()`
    #[error("a group must not be empty")]
    EmptyGroup,
    /// `/(?:…)`
    #[error("a parameter cannot begin with \"?\": add a pair of parentheses around it, like \"((?!api).*)\"")]
    BareGroup,
    /// `/((a)b)`, `/([(])`
    #[error(
        "a group inside a group must begin with \"?:\", like \"(?:a|b)\"; write \"\\(\" for the character itself"
    )]
    CapturingGroup,
    /// The text in parentheses is not a supported expression.
    #[error("{0}")]
    Expression(RegexpProblem),
    /// `{` without `}`.
    #[error("unclosed brace: write \"\\{{\" for the character itself")]
    UnclosedBrace,
    /// `}` without `{`.
    #[error("\"}}\" without \"{{\": write \"\\}}\" for the character itself")]
    StrayBrace,
    /// `{:a:b}`
    #[error("braces may contain text, then at most one parameter, then text")]
    InBraces,
    /// `*`, `+` or `?` that does not follow a parameter.
    #[error("\"*\", \"+\" and \"?\" must directly follow a parameter or braces, like \"/admin/:path*\"")]
    StrayModifier,
    /// `/a-:b*`.
    #[error(
        "a parameter with \"*\" or \"+\" must follow a slash, or be in braces with text, which is repeated too"
    )]
    RepeatsWithoutPrefix,
    /// `/:`
    #[error(
        "a colon must be followed by a parameter's name of letters, digits and \"_\": write \"\\:\" for the character itself"
    )]
    NoName,
    /// `/:a:b`
    #[error("two parameters in one segment need text between them")]
    AdjacentParameters,
    /// `//`
    #[error("an empty segment matches no path")]
    EmptySegment,
    /// A `%` without two hexadecimal digits.
    #[error("invalid percent-encoding: write \"%25\" for the character \"%\"")]
    Encoding,
    /// Text that no accepted path contains.
    #[error(
        "this segment matches no path: paths with dot segments, encoded slashes, backslashes or control characters are rejected"
    )]
    NeverMatches,
    /// `/[id]`, `/[...slug]`: how Next.js names the folder of a route.
    #[error(
        "in brackets this is the name of a folder, which no address has: write \":id\" for \"[id]\", \":slug+\" for \"[...slug]\" and \":slug*\" for \"[[...slug]]\", and \"\\[\" for the character itself"
    )]
    RouteFolder,
    /// `#`
    #[error(
        "a pattern matches the path only, not the query or the fragment: write \"%23\" for the character \"#\""
    )]
    NotInPath,
    /// A backslash at the end.
    #[error("a backslash must be followed by a character")]
    TrailingBackslash,
}
