//! JavaScript's regular expressions without flags, by backtracking: each way to match is tried in turn.
//!
//! It parses what the guard accepts, and a little more. A match that takes too many steps has no answer.

/// An expression.
#[derive(Debug)]
pub(crate) struct Regexp(Vec<Vec<Node>>);

#[derive(Debug)]
enum Node {
    Unit(Class),
    Start,
    End,
    Boundary(bool),
    Group(Vec<Vec<Node>>),
    Look(bool, Vec<Vec<Node>>),
    Repeat(Box<Node>, u32, Option<u32>),
}

#[derive(Debug, Default)]
struct Class {
    is_negated: bool,
    ranges: Vec<(u16, u16)>,
    /// Classes within it: `\W` in `[a\W]`.
    inner: Vec<Class>,
}

impl Regexp {
    /// Parses an expression. `None` for what is not known here.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser { chars: text.chars().collect(), at: 0 };
        let alternatives = parser.alternatives()?;
        (parser.at == parser.chars.len()).then_some(Self(alternatives))
    }

    /// Whether it matches somewhere in the text (`test`). `None` after too many steps.
    pub(crate) fn matches(&self, text: &str) -> Option<bool> {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut fuel = 200_000;
        for start in 0..=units.len() {
            if alternatives(&self.0, &units, start, &mut fuel, &mut |_, _| true) {
                return (fuel > 0).then_some(true);
            }
        }
        (fuel > 0).then_some(false)
    }
}

/// What follows a match that ends at a position.
type Rest<'a> = &'a mut dyn FnMut(usize, &mut u32) -> bool;

fn alternatives(all: &[Vec<Node>], text: &[u16], at: usize, fuel: &mut u32, rest: Rest<'_>) -> bool {
    all.iter().any(|nodes| sequence(nodes, text, at, fuel, rest))
}

fn sequence(nodes: &[Node], text: &[u16], at: usize, fuel: &mut u32, rest: Rest<'_>) -> bool {
    match nodes.split_first() {
        None => rest(at, fuel),
        Some((node, others)) => {
            one(node, text, at, fuel, &mut |at, fuel| sequence(others, text, at, fuel, rest))
        }
    }
}

fn one(node: &Node, text: &[u16], at: usize, fuel: &mut u32, rest: Rest<'_>) -> bool {
    if *fuel == 0 {
        return false;
    }
    *fuel -= 1;
    match node {
        Node::Unit(class) => text.get(at).is_some_and(|unit| class.has(*unit)) && rest(at + 1, fuel),
        Node::Start => at == 0 && rest(at, fuel),
        Node::End => at == text.len() && rest(at, fuel),
        Node::Boundary(wanted) => {
            let is_word =
                |at: Option<usize>| at.and_then(|at| text.get(at)).is_some_and(|unit| word().has(*unit));
            (is_word(at.checked_sub(1)) != is_word(Some(at))) == *wanted && rest(at, fuel)
        }
        Node::Group(inner) => alternatives(inner, text, at, fuel, rest),
        Node::Look(wanted, inner) => {
            alternatives(inner, text, at, fuel, &mut |_, _| true) == *wanted && rest(at, fuel)
        }
        Node::Repeat(inner, min, max) => repeat(inner, (*min, *max), text, at, fuel, rest),
    }
}

fn repeat(
    node: &Node,
    (min, max): (u32, Option<u32>),
    text: &[u16],
    at: usize,
    fuel: &mut u32,
    rest: Rest<'_>,
) -> bool {
    if max != Some(0) {
        let fewer = (min.saturating_sub(1), max.map(|max| max - 1));
        let again = one(node, text, at, fuel, &mut |end, fuel| {
            // ECMA-262 section 22.2.2.3.1: an iteration beyond the minimum that matches nothing fails.
            (min > 0 || end != at) && repeat(node, fewer, text, end, fuel, rest)
        });
        if again {
            return true;
        }
    }
    min == 0 && rest(at, fuel)
}

impl Class {
    fn of(ranges: &[(u16, u16)]) -> Self {
        Self { ranges: ranges.to_vec(), ..Self::default() }
    }

    fn not(self) -> Self {
        Self { is_negated: !self.is_negated, ..self }
    }

    fn has(&self, unit: u16) -> bool {
        let is_in = self.ranges.iter().any(|(from, to)| (*from..=*to).contains(&unit))
            || self.inner.iter().any(|inner| inner.has(unit));
        is_in != self.is_negated
    }
}

fn digits() -> Class {
    Class::of(&[(0x30, 0x39)])
}

fn word() -> Class {
    Class::of(&[(0x30, 0x39), (0x41, 0x5a), (0x5f, 0x5f), (0x61, 0x7a)])
}

/// ECMA-262 sections 12.2 and 12.3.
fn white_space() -> Class {
    Class::of(&[
        (0x09, 0x0d),
        (0x20, 0x20),
        (0xa0, 0xa0),
        (0x1680, 0x1680),
        (0x2000, 0x200a),
        (0x2028, 0x2029),
        (0x202f, 0x202f),
        (0x205f, 0x205f),
        (0x3000, 0x3000),
        (0xfeff, 0xfeff),
    ])
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn alternatives(&mut self) -> Option<Vec<Vec<Node>>> {
        let mut all = vec![Vec::new()];
        while let Some(c) = self.peek().filter(|c| *c != ')') {
            if c == '|' {
                self.at += 1;
                all.push(Vec::new());
            } else {
                let node = self.term()?;
                all.last_mut()?.push(node);
            }
        }
        Some(all)
    }

    fn term(&mut self) -> Option<Node> {
        let node = match self.next()? {
            '^' => Node::Start,
            '$' => Node::End,
            '.' => Node::Unit(Class::of(&[(0x0a, 0x0a), (0x0d, 0x0d), (0x2028, 0x2029)]).not()),
            '(' => self.group()?,
            '[' => Node::Unit(self.class()?),
            '\\' => match self.peek()? {
                c @ ('b' | 'B') => {
                    self.at += 1;
                    Node::Boundary(c == 'b')
                }
                _ => Node::Unit(self.escape()?),
            },
            '*' | '+' | '?' | '{' | '}' | ']' | ')' | '|' => return None,
            c => Node::Unit(literal(c)?),
        };
        let (min, max) = match self.peek() {
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('?') => (0, Some(1)),
            Some('{') => {
                let close = self.chars[self.at..].iter().position(|c| *c == '}')? + self.at;
                let inside: String = self.chars[self.at + 1..close].iter().collect();
                self.at = close;
                match inside.split_once(',') {
                    None => (inside.parse().ok()?, Some(inside.parse().ok()?)),
                    Some((min, "")) => (min.parse().ok()?, None),
                    Some((min, max)) => (min.parse().ok()?, Some(max.parse().ok()?)),
                }
            }
            _ => return Some(node),
        };
        self.at += 1;
        if self.peek() == Some('?') {
            self.at += 1;
        }
        Some(Node::Repeat(Box::new(node), min, max))
    }

    fn group(&mut self) -> Option<Node> {
        let mut look = None;
        if self.peek() == Some('?') {
            self.at += 1;
            match self.next()? {
                ':' => {}
                '=' => look = Some(true),
                '!' => look = Some(false),
                '<' if !matches!(self.peek(), Some('=' | '!')) => while self.next()? != '>' {},
                _ => return None,
            }
        }
        let inner = self.alternatives()?;
        (self.next()? == ')').then_some(())?;
        Some(match look {
            None => Node::Group(inner),
            Some(wanted) => Node::Look(wanted, inner),
        })
    }

    fn class(&mut self) -> Option<Class> {
        let mut class = Class::default();
        if self.peek() == Some('^') {
            self.at += 1;
            class.is_negated = true;
        }
        loop {
            let first = match self.next()? {
                ']' => return Some(class),
                '\\' => self.escape()?,
                c => literal(c)?,
            };
            let is_range = self.peek() == Some('-') && self.chars.get(self.at + 1).is_some_and(|c| *c != ']');
            if !is_range {
                class.inner.push(first);
                continue;
            }
            self.at += 1;
            let last = match self.next()? {
                '\\' => self.escape()?,
                c => literal(c)?,
            };
            match (first.single(), last.single()) {
                (Some(from), Some(to)) => class.ranges.push((from, to)),
                // A set cannot begin or end a range: the hyphen is one.
                _ => class.inner.extend([first, last, Class::of(&[(0x2d, 0x2d)])]),
            }
        }
    }

    fn escape(&mut self) -> Option<Class> {
        Some(match self.next()? {
            'd' => digits(),
            'D' => digits().not(),
            'w' => word(),
            'W' => word().not(),
            's' => white_space(),
            'S' => white_space().not(),
            't' => literal('\t')?,
            'n' => literal('\n')?,
            'v' => literal('\u{b}')?,
            'f' => literal('\u{c}')?,
            'r' => literal('\r')?,
            'x' => self.code(2)?,
            'u' => self.code(4)?,
            c if c.is_ascii_alphanumeric() => return None,
            c => literal(c)?,
        })
    }

    fn code(&mut self, digits: usize) -> Option<Class> {
        let text: String = self.chars.get(self.at..self.at + digits)?.iter().collect();
        self.at += digits;
        let unit = u16::from_str_radix(&text, 16).ok()?;
        Some(Class::of(&[(unit, unit)]))
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += 1;
        Some(c)
    }
}

impl Class {
    /// The unit of a class that has only one.
    fn single(&self) -> Option<u16> {
        match self.ranges.as_slice() {
            [(from, to)] if from == to && !self.is_negated && self.inner.is_empty() => Some(*from),
            _ => None,
        }
    }
}

fn literal(c: char) -> Option<Class> {
    let unit = u16::try_from(u32::from(c)).ok()?;
    Some(Class::of(&[(unit, unit)]))
}
