//! The algorithm of path-to-regexp 6.3: from a pattern to the text of a regular expression.

#[derive(Clone, Debug, PartialEq)]
enum Lexed {
    Char(char),
    Escaped(char),
    Modifier(char),
    Name(String),
    Pattern(String),
    Open,
    Close,
}

enum Token {
    Text(String),
    Key { prefix: String, suffix: String, pattern: String, modifier: String },
}

/// The regular expression of a pattern; `None` where path-to-regexp throws.
pub(crate) fn to_regexp(source: &str) -> Option<String> {
    let mut expression = "^".to_owned();
    for token in parse(&lex(source)?)? {
        match token {
            Token::Text(text) => expression.push_str(&escaped(&text)),
            Token::Key { prefix, suffix, pattern, modifier } => {
                let (prefix, suffix) = (escaped(&prefix), escaped(&suffix));
                let is_repeated = modifier == "*" || modifier == "+";
                let is_bare = prefix.is_empty() && suffix.is_empty();
                let part = match (pattern.is_empty(), is_bare, is_repeated) {
                    (true, ..) => format!("(?:{prefix}{suffix}){modifier}"),
                    (false, true, true) => return None,
                    (false, true, false) => format!("({pattern}){modifier}"),
                    (false, false, true) => {
                        let optional = if modifier == "*" { "?" } else { "" };
                        format!(
                            "(?:{prefix}((?:{pattern})(?:{suffix}{prefix}(?:{pattern}))*){suffix}){optional}"
                        )
                    }
                    (false, false, false) => format!("(?:{prefix}({pattern}){suffix}){modifier}"),
                };
                expression.push_str(&part);
            }
        }
    }
    Some(format!("{expression}[\\/#\\?]?$"))
}

fn escaped(text: &str) -> String {
    let special = |c: &char| ".+*?=^!:${}()[]|/\\".contains(*c);
    text.chars().flat_map(|c| special(&c).then_some('\\').into_iter().chain([c])).collect()
}

fn lex(source: &str) -> Option<Vec<Lexed>> {
    let chars: Vec<char> = source.chars().collect();
    let mut lexed = Vec::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        at += 1;
        lexed.push(match c {
            '*' | '+' | '?' => Lexed::Modifier(c),
            '\\' => {
                at += 1;
                Lexed::Escaped(*chars.get(at - 1)?)
            }
            '{' => Lexed::Open,
            '}' => Lexed::Close,
            ':' => {
                let name: String =
                    chars[at..].iter().take_while(|c| c.is_ascii_alphanumeric() || **c == '_').collect();
                at += name.chars().count();
                (!name.is_empty()).then_some(Lexed::Name(name))?
            }
            '(' => {
                let (pattern, end) = group(&chars, at)?;
                at = end;
                Lexed::Pattern(pattern)
            }
            c => Lexed::Char(c),
        });
    }
    Some(lexed)
}

/// The text of a group that begins at `at`, and where it ends.
fn group(chars: &[char], mut at: usize) -> Option<(String, usize)> {
    let (mut depth, mut pattern) = (1, String::new());
    if chars.get(at) == Some(&'?') {
        return None;
    }
    while at < chars.len() {
        if chars[at] == '\\' {
            pattern.push('\\');
            pattern.push(*chars.get(at + 1)?);
            at += 2;
            continue;
        }
        if chars[at] == ')' {
            depth -= 1;
            if depth == 0 {
                return (!pattern.is_empty()).then_some((pattern, at + 1));
            }
        } else if chars[at] == '(' {
            depth += 1;
            if chars.get(at + 1) != Some(&'?') {
                return None;
            }
        }
        pattern.push(chars[at]);
        at += 1;
    }
    None
}

struct Parser<'a> {
    lexed: &'a [Lexed],
    at: usize,
    tokens: Vec<Token>,
}

fn parse(lexed: &[Lexed]) -> Option<Vec<Token>> {
    let mut parser = Parser { lexed, at: 0, tokens: Vec::new() };
    let mut path = String::new();
    while parser.at < lexed.len() {
        let c = parser.char();
        let (name, pattern) = (parser.name(), parser.pattern());
        if name.is_some() || pattern.is_some() {
            let mut prefix = c.map(String::from).unwrap_or_default();
            if !matches!(prefix.as_str(), "" | "." | "/") {
                path.push_str(&prefix);
                prefix.clear();
            }
            parser.text(&mut path);
            let pattern = match pattern {
                Some(pattern) => pattern,
                None => parser.segment(&prefix)?,
            };
            let modifier = parser.modifier();
            parser.tokens.push(Token::Key { prefix, suffix: String::new(), pattern, modifier });
            continue;
        }
        if let Some(c) = c.or_else(|| parser.escaped()) {
            path.push(c);
            continue;
        }
        parser.text(&mut path);
        parser.eat(&Lexed::Open).then_some(())?;
        let prefix = parser.literal();
        let (name, pattern) = (parser.name(), parser.pattern());
        let suffix = parser.literal();
        parser.eat(&Lexed::Close).then_some(())?;
        let pattern = match (name, pattern) {
            (Some(_), None) => parser.segment(&prefix)?,
            (_, pattern) => pattern.unwrap_or_default(),
        };
        let modifier = parser.modifier();
        parser.tokens.push(Token::Key { prefix, suffix, pattern, modifier });
    }
    parser.text(&mut path);
    Some(parser.tokens)
}

impl Parser<'_> {
    fn text(&mut self, path: &mut String) {
        if !path.is_empty() {
            self.tokens.push(Token::Text(std::mem::take(path)));
        }
    }

    /// What a parameter without an expression matches.
    fn segment(&self, prefix: &str) -> Option<String> {
        let before = match self.tokens.last() {
            _ if !prefix.is_empty() => prefix,
            Some(Token::Text(text)) => text,
            Some(Token::Key { .. }) => return None,
            None => "",
        };
        Some(if before.is_empty() || before.contains(['/', '#', '?']) {
            "[^\\/#\\?]+?".to_owned()
        } else {
            format!("(?:(?!{})[^\\/#\\?])+?", escaped(before))
        })
    }

    fn take<T>(&mut self, read: impl Fn(&Lexed) -> Option<T>) -> Option<T> {
        let found = self.lexed.get(self.at).and_then(read);
        self.at += usize::from(found.is_some());
        found
    }

    fn eat(&mut self, wanted: &Lexed) -> bool {
        self.take(|lexed| (lexed == wanted).then_some(())).is_some()
    }

    fn char(&mut self) -> Option<char> {
        self.take(|lexed| if let Lexed::Char(c) = lexed { Some(*c) } else { None })
    }

    fn escaped(&mut self) -> Option<char> {
        self.take(|lexed| if let Lexed::Escaped(c) = lexed { Some(*c) } else { None })
    }

    fn name(&mut self) -> Option<String> {
        self.take(|lexed| if let Lexed::Name(name) = lexed { Some(name.clone()) } else { None })
    }

    fn pattern(&mut self) -> Option<String> {
        self.take(|lexed| if let Lexed::Pattern(pattern) = lexed { Some(pattern.clone()) } else { None })
    }

    fn modifier(&mut self) -> String {
        self.take(|lexed| if let Lexed::Modifier(c) = lexed { Some(c.to_string()) } else { None })
            .unwrap_or_default()
    }

    fn literal(&mut self) -> String {
        let mut text = String::new();
        while let Some(c) = self.char().or_else(|| self.escaped()) {
            text.push(c);
        }
        text
    }
}
