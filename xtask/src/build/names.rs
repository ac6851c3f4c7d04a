//! Short names for what the JavaScript and the WebAssembly call in each other. wasm-bindgen's have a hash each, which
//! does not compress, and stand in both files.

use std::collections::HashMap;

use anyhow::Result;

use crate::wasm::Module;

/// How the names begin that wasm-bindgen makes up. What the crate exports keeps its own.
const MADE_UP: [&str; 3] = ["__wbg_", "__wbindgen_", "wasm_bindgen__"];

/// The script and the module with short names.
pub(super) fn shortened(script: &str, module: &Module<'_>) -> Result<(String, Vec<u8>)> {
    let mut short: HashMap<&str, String> = HashMap::new();
    for name in module.names_across()?.into_iter().filter(|name| is_made_up(name)) {
        let number = short.len();
        short.entry(name).or_insert_with(|| format!("_{number:x}"));
    }
    let of = |name: &str| short.get(name).map_or(name, String::as_str).to_owned();
    Ok((words(script).map(of).collect(), module.with_names_across(of)?))
}

fn is_made_up(name: &str) -> bool {
    MADE_UP.iter().any(|start| name.starts_with(start)) && words(name).count() == 1
}

/// A text, cut where an identifier begins or ends.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_of_identifier = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let mut rest = text;
    std::iter::from_fn(move || {
        let is_identifier = is_of_identifier(rest.chars().next()?);
        let end = rest.find(|c| is_of_identifier(c) != is_identifier).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Imports `__wbg_a_1` and `own`, exports `fetch` and `__wbindgen_a`.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\
        \x01\x04\x01\x60\0\0\
        \x02\x17\x02\x01m\x09__wbg_a_1\0\0\x01m\x03own\0\0\
        \x07\x18\x02\x05fetch\0\0\x0c__wbindgen_a\0\x01";

    #[test]
    fn names_that_are_made_up_are_short_in_both_files() {
        let module = Module::parse(MODULE).unwrap();
        assert_eq!(module.names_across().unwrap(), ["__wbg_a_1", "own", "fetch", "__wbindgen_a"]);
        let script = "({__wbg_a_1:own,x:i.__wbindgen_a,'über':__wbg_a_10,y:$__wbg_a_1,z:fetch})";
        let (script, bytes) = shortened(script, &module).unwrap();
        assert_eq!(script, "({_0:own,x:i._1,'über':__wbg_a_10,y:$__wbg_a_1,z:fetch})");
        assert_eq!(Module::parse(&bytes).unwrap().names_across().unwrap(), ["_0", "own", "fetch", "_1"]);
    }

    #[test]
    fn a_text_is_the_sum_of_its_words() {
        for text in ["", "a", "a.b_c$(1)", "..", "é+é "] {
            assert_eq!(words(text).collect::<String>(), text);
        }
        assert_eq!(words("a.b_c$()").collect::<Vec<_>>(), ["a", ".", "b_c$", "()"]);
    }
}
