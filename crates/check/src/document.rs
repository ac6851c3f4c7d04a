//! The files of a configuration, read with the place of every key and value.

mod dotenv;
mod file;
mod jsonc;
mod node;
mod toml;

use std::path::Path;

pub use self::dotenv::{Variable, variables};
use self::file::Lines;
pub use self::file::{At, File, SyntaxError};
pub use self::node::{Member, Node, Written};

impl File {
    /// The content as a table, with the place of each of its keys.
    ///
    /// # Errors
    /// Everything that keeps the text from being TOML, or the first thing that keeps it from being JSON.
    pub fn parse(&self) -> Result<Node, Vec<SyntaxError>> {
        let is_json = Path::new(&self.name).extension().is_some_and(|kind| kind == "json" || kind == "jsonc");
        let lines = Lines::of(self);
        if is_json { jsonc::parse(&lines) } else { toml::parse(&lines) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_counts_lines_and_characters_from_one() {
        let file = File::new("wrangler.toml", "a = \"ä\" # b\r\nb");
        let lines = Lines::of(&file);
        let at = |offset| lines.at(offset).to_string();
        assert_eq!(at(0), "wrangler.toml:1:1");
        assert_eq!(at(7), "wrangler.toml:1:7");
        assert_eq!(at(file.text.len() - 1), "wrangler.toml:2:1");
        assert_eq!(at(usize::MAX), "wrangler.toml:2:2");
    }

    #[test]
    fn a_file_with_many_keys_or_deep_ones_is_read_in_time() {
        let keys: Vec<String> = (0..50_000).map(|i| format!("k{i} = [1, 2]\n")).collect();
        assert_eq!(File::new("f", keys.concat()).parse().unwrap().members().len(), 50_000);
        let items = "1, ".repeat(100_000);
        assert_eq!(File::new("f", format!("\"ä\" = [{items}]")).parse().unwrap().members().len(), 1);
        for deep in [
            format!("a = {}", "[".repeat(100_000)),
            format!("a{} = 1", ".a".repeat(100_000)),
            format!("[a{}]\nb = 1", ".a".repeat(100_000)),
            format!("a = {}", "{ a = ".repeat(100_000)),
        ] {
            assert!(File::new("f", deep).parse().is_err());
        }
        assert!(File::new("f.json", "[".repeat(100_000)).parse().is_err());
    }

    #[test]
    fn a_table_is_overridden_key_by_key_and_an_array_as_a_whole() {
        let parse = |name: &str, text: &str| File::new(name, text).parse().unwrap();
        let below = parse("vestibule.toml", "a = [1, 2]\nb = 1\n[c]\nd = 1\ne = 2");
        let above = parse("wrangler.toml", "a = [3]\n[c]\ne = 5");
        let merged = below.overridden_by(&above);
        let expected = serde_json::json!({"a": [3], "b": 1, "c": {"d": 1, "e": 5}});
        assert_eq!(merged.to_json(), expected);
        let at = |key: &str| merged.get("c").unwrap().member(key).unwrap().at.to_string();
        assert_eq!((at("d").as_str(), at("e").as_str()), ("vestibule.toml:4:1", "wrangler.toml:3:1"));
    }
}
