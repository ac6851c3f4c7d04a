//! JSON with comments and trailing commas, as wrangler reads it.

use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde_json::Value;

use super::{File, Member, Node, SyntaxError, Written};

/// What wrangler's parser accepts.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn parse(file: &File) -> Result<Node, Vec<SyntaxError>> {
    let refused = |at, problem| Err(vec![SyntaxError { at: file.at(at), problem }]);
    match parse_to_ast(&file.text, &CollectOptions::default(), &OPTIONS) {
        Err(error) => refused(error.range().start, error.kind().to_string().to_lowercase()),
        Ok(parsed) => match &parsed.value {
            None => refused(0, "the file is empty".to_owned()),
            Some(value) => {
                let mut twins = Vec::new();
                let node = node(file, value, &mut twins);
                if twins.is_empty() { Ok(node) } else { Err(twins) }
            }
        },
    }
}

/// A value. A key that an object has twice is added to `twins`: which of them counts depends on the parser.
fn node(file: &File, value: &Ast<'_>, twins: &mut Vec<SyntaxError>) -> Node {
    let at = file.at(value.range().start);
    match value {
        Ast::StringLit(text) => Node::scalar(at, text.value.as_ref()),
        Ast::NumberLit(number) => Node::scalar(at, serde_json::from_str(number.value).unwrap_or(Value::Null)),
        Ast::BooleanLit(value) => Node::scalar(at, value.value),
        Ast::NullKeyword(_) => Node::scalar(at, Value::Null),
        Ast::Array(array) => {
            let items = array.elements.iter().map(|item| node(file, item, twins)).collect();
            Node { at, value: Written::Array(items) }
        }
        Ast::Object(object) => {
            let mut members: Vec<Member> = Vec::new();
            for property in &object.properties {
                let key = property.name.as_str().to_owned();
                let at = match &property.name {
                    ObjectPropName::String(name) => file.at(name.range.start),
                    ObjectPropName::Word(name) => file.at(name.range.start),
                };
                if members.iter().any(|known| known.key == key) {
                    twins.push(SyntaxError {
                        at: at.clone(),
                        problem: format!("the key {key:?} is there twice"),
                    });
                }
                members.push(Member { key, at, value: node(file, &property.value, twins) });
            }
            Node { at, value: Written::Table(members) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_items_have_their_places() {
        let text = "{\n  // a comment\n  \"vars\": { \"AUTH\": { \"rules\": [\n    { \"match\": \"/\" },\n  ] } },\n}";
        let node = File::new("wrangler.jsonc", text).parse().unwrap();
        let rules = node.get("vars").unwrap().get("AUTH").unwrap().member("rules").unwrap();
        assert_eq!(rules.at.to_string(), "wrangler.jsonc:3:23");
        let rule = &rules.value.items()[0];
        assert_eq!(rule.at.to_string(), "wrangler.jsonc:4:5");
        assert_eq!(rule.member("match").unwrap().at.to_string(), "wrangler.jsonc:4:7");
    }

    #[test]
    fn a_text_that_is_no_json_is_named_where_it_is_wrong() {
        for (text, at) in [
            ("", "f.json:1:1"),
            ("{\n  \"a\": 1\n  \"b\": 2\n}", "f.json:2:9"),
            ("{ \"a\": 1,\n  \"a\": 2 }", "f.json:2:3"),
            ("{ 'a': 1 }", "f.json:1:3"),
        ] {
            let errors = File::new("f.json", text).parse().unwrap_err();
            assert_eq!(errors[0].at.to_string(), at, "{text} {errors:?}");
        }
    }
}
