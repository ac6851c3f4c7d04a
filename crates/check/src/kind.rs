//! What a file holds whose name does not say it: a wrangler file, or the configuration itself.

use vestibule_core::config::is_key;

use crate::document::Node;
use crate::finding::Finding;

/// What a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What a `wrangler.toml` does: the configuration is its `[vars.AUTH]`.
    Wrangler,
    /// The configuration itself, as in a `vestibule.toml`.
    Own,
}

/// Keys of a wrangler file. `rules` is one, too, and so says nothing.
const WRANGLER_KEYS: &[&str] = &[
    "$schema",
    "account_id",
    "assets",
    "build",
    "compatibility_date",
    "compatibility_flags",
    "durable_objects",
    "env",
    "kv_namespaces",
    "main",
    "migrations",
    "name",
    "observability",
    "queues",
    "route",
    "routes",
    "services",
    "triggers",
    "vars",
    "workers_dev",
];

/// The kind of a file by what is in it; and where that is not clear, what was decided.
pub(crate) fn of(file: &Node) -> (Kind, Option<Finding>) {
    let of_wrangler = |key: &str| WRANGLER_KEYS.contains(&key);
    let keys = || file.members().iter().map(|member| member.key.as_str());
    let first = |is: &dyn Fn(&str) -> bool| keys().find(|key| is(key));
    let own_key = |key: &str| key != "rules" && is_key(key);
    let advice = |problem: String, fix: &str| Some(Finding::advice(file.at.clone(), "", problem, fix));
    match (first(&of_wrangler), first(&own_key)) {
        (Some(_), None) => (Kind::Wrangler, None),
        (None, Some(_)) => (Kind::Own, None),
        (None, None) if keys().any(|key| key == "rules") => (Kind::Own, None),
        (None, None) => {
            let problem = "no key says what this file is, so it is read as the configuration itself, like a vestibule.toml";
            let fix = "write base_path or [[providers]] at the top of a configuration, name and [vars.AUTH] into a wrangler file";
            (Kind::Own, advice(problem.to_owned(), fix))
        }
        (Some(wrangler), Some(own)) => {
            let has_configuration = file.get("vars").is_some_and(|vars| vars.get("AUTH").is_some());
            let count = |is: &dyn Fn(&str) -> bool| keys().filter(|key| is(key)).count();
            let is_wrangler = has_configuration || count(&of_wrangler) > count(&own_key);
            let (kind, read_as, foreign) = if is_wrangler {
                (Kind::Wrangler, "a wrangler file", own)
            } else {
                (Kind::Own, "the configuration itself, like a vestibule.toml", wrangler)
            };
            let problem = format!(
                "this file has `{wrangler}` of a wrangler file and `{own}` of the configuration, and is read as {read_as}"
            );
            (kind, advice(problem, &format!("if that is right, remove `{foreign}` from the top")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::File;

    #[test]
    fn a_file_is_what_its_keys_say() {
        use Kind::{Own, Wrangler};
        for (name, text, expected, is_clear) in [
            ("site.toml", "base_path = \"/auth\"", Own, true),
            ("site.json", "{ \"providers\": [] }", Own, true),
            ("site.toml", "[[rules]]\nmatch = \"/\"", Own, true),
            ("site.toml", "name = \"a\"", Wrangler, true),
            ("site.toml", "[vars.AUTH]\nbase_path = \"/auth\"", Wrangler, true),
            ("site.toml", "[env.a.vars.AUTH]\nbase_path = \"/auth\"", Wrangler, true),
            ("site.toml", "main = \"a.js\"\nname = \"a\"\n[[rules]]\ntype = \"Text\"", Wrangler, true),
            ("site.toml", "", Own, false),
            ("site.toml", "base_paht = \"/auth\"", Own, false),
            ("site.toml", "[AUTH]\nbase_path = \"/auth\"", Own, false),
            ("site.toml", "name = \"a\"\nbase_path = \"/auth\"\n[session]", Own, false),
            ("site.toml", "name = \"a\"\nmain = \"a.js\"\n[session]", Wrangler, false),
            ("site.toml", "base_path = \"/auth\"\nproviders = []\n[vars.AUTH]", Wrangler, false),
        ] {
            let (kind, said) = of(&File::new(name, text).parse().unwrap());
            assert_eq!((kind, said.is_none()), (expected, is_clear), "{text}: {said:?}");
        }
    }

    #[test]
    fn no_key_says_both() {
        for key in WRANGLER_KEYS {
            assert!(!is_key(key), "{key}");
        }
    }
}
