//! TOML.

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::{File, Member, Node, SyntaxError, Written, float};

pub(super) fn parse(file: &File) -> Result<Node, Vec<SyntaxError>> {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    if errors.is_empty() {
        return Ok(Node { at: file.at(0), value: self::table(file, table.get_ref()) });
    }
    let error = |error: &toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        SyntaxError { at: file.at(at), problem: error.message().to_owned() }
    };
    let mut errors: Vec<SyntaxError> = errors.iter().map(error).collect();
    errors.sort_by(|a, b| a.at.cmp(&b.at));
    // One mistake often has several errors where it is.
    errors.dedup_by(|a, b| a.at.line == b.at.line);
    Err(errors)
}

fn table(file: &File, table: &DeTable<'_>) -> Written {
    let member = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        Member { key: key.get_ref().to_string(), at: file.at(key.span().start), value: node(file, value) }
    };
    let mut members: Vec<Member> = table.iter().map(member).collect();
    members.sort_by(|a, b| a.at.cmp(&b.at));
    Written::Table(members)
}

fn node(file: &File, value: &Spanned<DeValue<'_>>) -> Node {
    let at = file.at(value.span().start);
    match value.get_ref() {
        DeValue::String(text) => Node::scalar(at, text.as_ref()),
        DeValue::Integer(number) => Node::scalar(at, integer(number)),
        DeValue::Float(number) => Node::scalar(at, number.as_str().parse().map_or(Value::Null, float)),
        DeValue::Boolean(value) => Node::scalar(at, *value),
        DeValue::Datetime(time) => Node::scalar(at, time.to_string()),
        DeValue::Array(items) => {
            Node { at, value: Written::Array(items.iter().map(|item| node(file, item)).collect()) }
        }
        DeValue::Table(members) => Node { at, value: table(file, members) },
    }
}

fn integer(number: &DeInteger<'_>) -> Value {
    let parsed = i64::from_str_radix(number.as_str(), number.radix());
    parsed.map_or(Value::Null, Value::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, path: &[&str]) -> String {
        let node = File::new("f", text).parse().unwrap();
        let mut found = (&node, node.at.clone());
        for step in path {
            found = match step.parse::<usize>() {
                Ok(index) => (&found.0.items()[index], found.0.items()[index].at.clone()),
                Err(_) => {
                    let member = found.0.member(step).unwrap();
                    (&member.value, member.at.clone())
                }
            };
        }
        found.1.to_string()
    }

    #[test]
    fn keys_are_found_in_every_way_in_which_toml_writes_tables() {
        let text = "[vars.AUTH]\nbase_path = \"/auth\"\nsession.max_age = \"1d\"\n\n[[vars.AUTH.rules]]\nmatch = \"/\"\n\n\
                    [[vars.AUTH.rules]]\n  match = [\"/a\", \"/b\"]\n  require = { \"a.b\" = 1 }\n";
        assert_eq!(at(text, &["vars", "AUTH"]), "f:1:7");
        assert_eq!(at(text, &["vars", "AUTH", "base_path"]), "f:2:1");
        assert_eq!(at(text, &["vars", "AUTH", "session", "max_age"]), "f:3:9");
        assert_eq!(at(text, &["vars", "AUTH", "rules"]), "f:5:13");
        assert_eq!(at(text, &["vars", "AUTH", "rules", "0"]), "f:5:1");
        assert_eq!(at(text, &["vars", "AUTH", "rules", "1"]), "f:8:1");
        assert_eq!(at(text, &["vars", "AUTH", "rules", "1", "match"]), "f:9:3");
        assert_eq!(at(text, &["vars", "AUTH", "rules", "1", "match", "1"]), "f:9:18");
        assert_eq!(at(text, &["vars", "AUTH", "rules", "1", "require", "a.b"]), "f:10:15");
    }

    #[test]
    fn every_line_that_is_no_toml_is_named() {
        let errors = File::new("f", "a = \n[b\nc = 1\n").parse().unwrap_err();
        let lines: Vec<usize> = errors.iter().map(|error| error.at.line).collect();
        assert_eq!(lines, [1, 2], "{errors:?}");
    }

    #[test]
    fn numbers_dates_and_text_become_what_wrangler_sends() {
        let text = "a = 0x1F\nb = 1.5\nc = inf\nd = 1979-05-27\ne = \"x\"\nf = true";
        let json = serde_json::json!({"a": 31, "b": 1.5, "c": null, "d": "1979-05-27", "e": "x", "f": true});
        assert_eq!(File::new("f", text).parse().unwrap().to_json(), json);
    }
}
