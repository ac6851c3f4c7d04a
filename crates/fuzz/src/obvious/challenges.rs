//! The challenges of `WWW-Authenticate`, by the grammar of RFC 9110 section 11.6.1.

/// A scheme in lower case, and its parameters with their names in lower case.
type Challenge = (String, Vec<(String, String)>);

/// The challenges; `None` where the text is not what the grammar says.
pub(crate) fn challenges(text: &str) -> Option<Vec<Challenge>> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        if rest.is_empty() {
            return Some(found);
        }
        let (word, behind) = token(rest)?;
        if let Some((value, behind)) = value(behind) {
            // A parameter of the challenge before.
            found.last_mut()?.1.push((word.to_ascii_lowercase(), value));
            rest = end(behind)?;
            continue;
        }
        let mut challenge = (word.to_ascii_lowercase(), Vec::new());
        rest = behind;
        if let Some(parameters) = behind.strip_prefix(' ') {
            let parameters = parameters.trim_start_matches(' ');
            if let Some((name, behind)) = token(parameters)
                && let Some((value, behind)) = value(behind)
            {
                challenge.1.push((name.to_ascii_lowercase(), value));
                rest = behind;
            } else {
                // A token68, or the next challenge after a comma.
                let length = parameters.find(|c: char| !c.is_ascii_alphanumeric() && !"-._~+/".contains(c));
                let behind = parameters.get(length.unwrap_or(parameters.len())..)?;
                rest = behind.trim_start_matches('=');
            }
        }
        rest = end(rest)?;
        found.push(challenge);
    }
}

/// A token, and what follows it (section 5.6.2).
fn token(text: &str) -> Option<(&str, &str)> {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let length = text.find(|c| !is_of_token(c)).unwrap_or(text.len());
    (length > 0).then(|| text.split_at(length))
}

/// `=` and a value, and what follows (section 11.2). A value alone is no parameter: `=` at the end is one of a token68.
fn value(text: &str) -> Option<(String, &str)> {
    let blank = [' ', '\t'];
    let text = text.trim_start_matches(blank).strip_prefix('=')?.trim_start_matches(blank);
    let Some(quoted) = text.strip_prefix('"') else {
        return token(text).map(|(value, rest)| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    loop {
        match chars.next()? {
            '"' => return Some((value, chars.as_str())),
            '\\' => value.push(chars.next()?),
            c => value.push(c),
        }
    }
}

/// What is behind the comma, or the end.
fn end(text: &str) -> Option<&str> {
    let text = text.trim_start_matches([' ', '\t']);
    if text.is_empty() { Some(text) } else { text.strip_prefix(',') }
}
