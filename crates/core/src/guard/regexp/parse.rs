//! Parses a regular expression (ECMA-262 section 22.2.1, without flags).

use thiserror::Error;

use super::{Node, Units};

/// The maximum depth of nested groups. It bounds the recursion, and no one writes more by hand.
const MAX_DEPTH: usize = 32;

/// The maximum count of a quantifier: the repeated part is copied that many times.
const MAX_COUNT: u32 = 1000;

/// An error in an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{problem} (at position {at})")]
pub struct RegexpError {
    /// What is wrong.
    pub problem: RegexpProblem,
    /// The position of the character where the problem is, counted from 0.
    pub at: usize,
}

/// What can be wrong with an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RegexpProblem {
    /// `(` without `)`.
    #[error("unclosed group: write \"\\(\" for the character itself")]
    UnclosedGroup,
    /// `)` without `(`.
    #[error("\")\" without \"(\": write \"\\)\" for the character itself")]
    StrayParenthesis,
    /// `[` without `]`.
    #[error("unclosed \"[\": write \"\\[\" for the character itself")]
    UnclosedClass,
    /// `[]`
    #[error("\"[]\" matches nothing")]
    EmptyClass,
    /// `[z-a]`
    #[error("a range has its ends in the wrong order")]
    RangeOrder,
    /// `]`, `{` or `}` that has no meaning at its position.
    #[error("a bracket or brace has no meaning here: write a backslash before it for the character itself")]
    StrayBracket,
    /// `*`, `+`, `?` or `{2}` that follows nothing.
    #[error("there is nothing to repeat")]
    NothingToRepeat,
    /// `(?:a?)*`
    #[error(
        "an unlimited repetition of something that may be empty: remove the inner or the outer repetition"
    )]
    RepeatsEmpty,
    /// `(?=a)*`, `^*`
    #[error("an assertion like \"^\", \"\\b\" or \"(?=…)\" cannot be repeated")]
    RepeatsAssertion,
    /// `a{3,2}`
    #[error("the minimum count is greater than the maximum")]
    CountOrder,
    /// `(?<=…)`, `(?<!…)`
    #[error("a lookbehind is not supported: use a lookahead, \"(?=…)\" or \"(?!…)\"")]
    Lookbehind,
    /// `(?i:…)` and the like.
    #[error("unknown group: there are \"(?:…)\", \"(?=…)\", \"(?!…)\" and \"(?<name>…)\"")]
    UnknownGroup,
    /// A name that is invalid, or that another group has.
    #[error("a group's name must consist of letters, digits and \"_\", and be unique")]
    GroupName,
    /// `\1`, `\k<name>`
    #[error("a backreference is not supported: it cannot be matched in bounded time")]
    Backreference,
    /// `\p`, `\cA`, `\u{61}` and the like.
    #[error(
        "unknown escape: there are \\d \\D \\w \\W \\s \\S \\b \\B \\t \\n \\v \\f \\r \\xHH \\uHHHH, and a backslash before any character that is not a letter or digit"
    )]
    Escape,
    /// A backslash at the end.
    #[error("a backslash must be followed by a character")]
    TrailingBackslash,
    /// A character beyond U+FFFF, such as an emoji. To ECMAScript it is two characters.
    #[error(
        "a character beyond U+FFFF is not supported in an expression: to ECMAScript it is two characters"
    )]
    BeyondBmp,
    /// `a|b` where ECMAScript would anchor each alternative at one end only.
    #[error(
        "alternatives must be in a group, like \"(?:a|b)\": otherwise ECMAScript anchors the first one only at the beginning and the last one only at the end"
    )]
    BareAlternatives,
    /// The expression is nested too deeply, or is too large.
    #[error("too large: matching this would take too much time")]
    TooLarge,
}

/// Parses the expression `chars[from..to]`. The positions of errors are counted in `chars`.
pub(crate) fn parse(chars: &[char], from: usize, to: usize) -> Result<Node, RegexpError> {
    let chars = chars.get(..to).unwrap_or(chars);
    let mut parser = Parser { chars, at: from, depth: 0, names: Vec::new() };
    let node = parser.alternatives()?;
    match parser.peek() {
        None => Ok(node),
        Some(_) => Err(parser.error(RegexpProblem::StrayParenthesis)),
    }
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
    depth: usize,
    names: Vec<String>,
}

/// What an item of a class, or an escape, matches.
enum Atom {
    One(u16),
    Set(Units),
}

impl Parser<'_> {
    fn alternatives(&mut self) -> Result<Node, RegexpError> {
        if self.depth > MAX_DEPTH {
            return Err(self.error(RegexpProblem::TooLarge));
        }
        let first = self.sequence()?;
        if self.peek() != Some('|') {
            return Ok(first);
        }
        let mut nodes = vec![first];
        while self.eat('|') {
            nodes.push(self.sequence()?);
        }
        Ok(Node::Alternatives(nodes))
    }

    fn sequence(&mut self) -> Result<Node, RegexpError> {
        let mut nodes = Vec::new();
        while self.peek().is_some_and(|c| c != '|' && c != ')') {
            nodes.push(self.term()?);
        }
        Ok(Node::Sequence(nodes))
    }

    fn term(&mut self) -> Result<Node, RegexpError> {
        let start = self.at;
        let node = self.atom()?;
        let quantifier_at = self.at;
        let Some((min, max)) = self.quantifier()? else { return Ok(node) };
        // A lazy quantifier matches the same texts as a greedy one.
        self.eat('?');
        let problem = match &node {
            Node::Lookahead { .. } | Node::Start | Node::End | Node::Boundary { .. } => {
                RegexpProblem::RepeatsAssertion
            }
            _ if max.is_none() && node.beginning().1 => RegexpProblem::RepeatsEmpty,
            _ if max.is_some_and(|max| max < min) => RegexpProblem::CountOrder,
            _ if min.max(max.unwrap_or(0)) > MAX_COUNT => RegexpProblem::TooLarge,
            _ => return Ok(Node::Repeat { node: Box::new(node), min, max }),
        };
        let at = if problem == RegexpProblem::RepeatsEmpty { start } else { quantifier_at };
        Err(RegexpError { problem, at })
    }

    fn atom(&mut self) -> Result<Node, RegexpError> {
        let start = self.at;
        let problem = match self.next() {
            Some('^') => return Ok(Node::Start),
            Some('$') => return Ok(Node::End),
            Some('.') => return Ok(Node::Unit(Units::dot())),
            Some('(') => return self.group(start),
            Some('[') => return self.class(start),
            Some('\\') => {
                return match self.peek() {
                    Some(c @ ('b' | 'B')) => {
                        self.at += 1;
                        Ok(Node::Boundary { positive: c == 'b' })
                    }
                    _ => Ok(Node::Unit(match self.escape(start)? {
                        Atom::One(unit) => Units::one(unit),
                        Atom::Set(units) => units,
                    })),
                };
            }
            Some('*' | '+' | '?') => RegexpProblem::NothingToRepeat,
            Some('{' | '}' | ']') => RegexpProblem::StrayBracket,
            Some(c) => return Ok(Node::Unit(Units::one(unit(c, start)?))),
            None => RegexpProblem::UnclosedGroup,
        };
        Err(RegexpError { problem, at: start })
    }

    /// Parses a group, after its `(`.
    fn group(&mut self, start: usize) -> Result<Node, RegexpError> {
        let error = |problem| RegexpError { problem, at: start };
        let mut look = None;
        if self.eat('?') {
            match self.next() {
                Some(':') => {}
                Some('=') => look = Some(true),
                Some('!') => look = Some(false),
                Some('<') if matches!(self.peek(), Some('=' | '!')) => {
                    return Err(error(RegexpProblem::Lookbehind));
                }
                Some('<') => self.group_name(start)?,
                _ => return Err(error(RegexpProblem::UnknownGroup)),
            }
        }
        self.depth += 1;
        let inner = self.alternatives()?;
        self.depth -= 1;
        if !self.eat(')') {
            return Err(error(RegexpProblem::UnclosedGroup));
        }
        Ok(match look {
            None => inner,
            Some(positive) => Node::Lookahead { ahead: Box::new(inner), positive },
        })
    }

    /// Checks a group's name, which is not used otherwise.
    fn group_name(&mut self, start: usize) -> Result<(), RegexpError> {
        let mut name = String::new();
        while let Some(c) = self.next().filter(|&c| c != '>') {
            name.push(c);
        }
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !is_name || self.names.contains(&name) {
            return Err(RegexpError { problem: RegexpProblem::GroupName, at: start });
        }
        self.names.push(name);
        Ok(())
    }

    /// Parses `*`, `+`, `?`, `{2}`, `{2,}` or `{2,3}`, if one is next.
    fn quantifier(&mut self) -> Result<Option<(u32, Option<u32>)>, RegexpError> {
        let found = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => return self.counts().map(Some),
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(found))
    }

    fn counts(&mut self) -> Result<(u32, Option<u32>), RegexpError> {
        let stray = self.error(RegexpProblem::StrayBracket);
        self.at += 1;
        let min = self.number()?.ok_or(stray)?;
        let max = if self.eat(',') { self.number()? } else { Some(min) };
        if self.eat('}') { Ok((min, max)) } else { Err(stray) }
    }

    fn number(&mut self) -> Result<Option<u32>, RegexpError> {
        let error = self.error(RegexpProblem::TooLarge);
        let mut number = None;
        while let Some(digit) = self.peek().and_then(|c| c.to_digit(10)) {
            self.at += 1;
            let next = number.unwrap_or(0_u32).checked_mul(10).and_then(|tens| tens.checked_add(digit));
            number = Some(next.ok_or(error)?);
        }
        Ok(number)
    }

    /// Parses a class, after its `[`.
    fn class(&mut self, start: usize) -> Result<Node, RegexpError> {
        let negated = self.eat('^');
        let mut units = Units::none();
        loop {
            let at = self.at;
            let atom = match self.next() {
                None => return Err(RegexpError { problem: RegexpProblem::UnclosedClass, at: start }),
                Some(']') => break,
                Some(c) => self.class_atom(c, at)?,
            };
            let is_range = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|&c| c != ']');
            if !is_range {
                units = units.or(&atom.into_units());
                continue;
            }
            self.at += 1;
            let end_at = self.at;
            let Some(c) = self.next() else { continue };
            units = match (atom, self.class_atom(c, end_at)?) {
                (Atom::One(least), Atom::One(largest)) if least > largest => {
                    return Err(RegexpError { problem: RegexpProblem::RangeOrder, at });
                }
                (Atom::One(least), Atom::One(largest)) => units.or(&Units::ranges([(least, largest)])),
                // `[\w-.]` is not a range but the union of the three (ECMA-262 section B.1.2.8.1).
                (from, to) => units.or(&from.into_units()).or(&Units::one(0x2d)).or(&to.into_units()),
            };
        }
        if negated {
            return Ok(Node::Unit(units.not()));
        }
        if units == Units::none() {
            return Err(RegexpError { problem: RegexpProblem::EmptyClass, at: start });
        }
        Ok(Node::Unit(units))
    }

    fn class_atom(&mut self, c: char, at: usize) -> Result<Atom, RegexpError> {
        if c == '\\' { self.escape(at) } else { unit(c, at).map(Atom::One) }
    }

    /// Parses an escape, after its backslash at `start`.
    fn escape(&mut self, start: usize) -> Result<Atom, RegexpError> {
        let error = |problem| RegexpError { problem, at: start };
        let one = match self.next().ok_or(error(RegexpProblem::TrailingBackslash))? {
            'd' => return Ok(Atom::Set(Units::digits())),
            'D' => return Ok(Atom::Set(Units::digits().not())),
            'w' => return Ok(Atom::Set(Units::word())),
            'W' => return Ok(Atom::Set(Units::word().not())),
            's' => return Ok(Atom::Set(Units::white_space())),
            'S' => return Ok(Atom::Set(Units::white_space().not())),
            't' => 0x09,
            'n' => 0x0a,
            'v' => 0x0b,
            'f' => 0x0c,
            'r' => 0x0d,
            'x' => self.hexadecimal(2).ok_or(error(RegexpProblem::Escape))?,
            'u' => self.hexadecimal(4).ok_or(error(RegexpProblem::Escape))?,
            '1'..='9' | 'k' => return Err(error(RegexpProblem::Backreference)),
            c if c.is_ascii_alphanumeric() => return Err(error(RegexpProblem::Escape)),
            c => unit(c, start)?,
        };
        Ok(Atom::One(one))
    }

    fn hexadecimal(&mut self, digits: usize) -> Option<u16> {
        let text: String = self.chars.get(self.at..self.at + digits)?.iter().collect();
        self.at += digits;
        // `from_str_radix` would also accept a sign.
        text.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u16::from_str_radix(&text, 16).ok())?
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek();
        self.at += usize::from(c.is_some());
        c
    }

    fn eat(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    fn error(&self, problem: RegexpProblem) -> RegexpError {
        RegexpError { problem, at: self.at }
    }
}

impl Atom {
    fn into_units(self) -> Units {
        match self {
            Self::One(unit) => Units::one(unit),
            Self::Set(units) => units,
        }
    }
}

fn unit(c: char, at: usize) -> Result<u16, RegexpError> {
    u16::try_from(u32::from(c)).map_err(|_| RegexpError { problem: RegexpProblem::BeyondBmp, at })
}
