//! Whether the module that the Worker imports is what `vestibule.toml` says now.

use serde_json::{Map, Value};

use crate::deployment::Files;
use crate::document::{At, File};
use crate::finding::Finding;

/// What every compiled module has before its value, and behind it.
const EXPORT: (&str, &str) = ("export default ", ";");

/// How many keys a message names.
const MAX_NAMED: usize = 5;

/// The advice that the compiled module is not that of the file beside it.
pub(crate) fn findings(files: &Files) -> Option<Finding> {
    let (own, compiled) = (files.vestibule.as_ref()?, files.compiled.as_ref()?);
    let name = &own.at.file;
    let problem = match exported(compiled) {
        None => format!("this is not what compile makes of {name}"),
        Some(compiled) => {
            let keys = differences(&compiled, &own.to_json())?;
            format!("this is not what {name} says now, which differs in {keys}")
        }
    };
    let wrangler = files.wrangler.as_ref();
    let command = wrangler.and_then(|wrangler| wrangler.get("build")?.get("command")?.text());
    let fix = if command.is_some_and(|command| command.contains("compile")) {
        "wrangler compiles it anew, before it starts or deploys the Worker"
    } else {
        "run `npx @vestibule-auth/edge compile`, or let wrangler do it: command = \"npx @vestibule-auth/edge compile\" in [build]"
    };
    let at = At { file: compiled.name.clone(), line: 1, column: 1 };
    Some(Finding::advice(at, "", problem, fix))
}

/// The value of a compiled module: JSON. `None` if it was written otherwise.
fn exported(compiled: &File) -> Option<Map<String, Value>> {
    let (_, value) = compiled.text.split_once(EXPORT.0)?;
    serde_json::from_str(value.trim_end().strip_suffix(EXPORT.1)?).ok()
}

/// The keys that are not the same in both, by name. `None` if there is none.
fn differences(compiled: &Map<String, Value>, own: &Value) -> Option<String> {
    let own = own.as_object()?;
    let all = compiled.keys().chain(own.keys().filter(|key| !compiled.contains_key(*key)));
    let mut differing: Vec<&str> =
        all.filter(|key| compiled.get(*key) != own.get(*key)).map(String::as_str).collect();
    differing.sort_unstable();
    let more = differing.len().saturating_sub(MAX_NAMED);
    differing.truncate(MAX_NAMED);
    let named = differing.join(", ");
    match (named.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(named),
        (false, more) => Some(format!("{named} and {more} more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::compile::compile;
    use crate::deployment::ConfigFiles;

    const OWN: &str =
        "base_path = \"/auth\"\n[[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n";

    /// What is said of a compiled module beside a file.
    fn said_of(compiled: &str, own: &str, wrangler: Option<&str>) -> Vec<String> {
        let input = ConfigFiles {
            vestibule: Some(File::new("vestibule.toml", own)),
            compiled: Some(File::new("vestibule.config.js", compiled)),
            wrangler: wrangler.map(|text| File::new("wrangler.toml", text)),
            ..ConfigFiles::default()
        };
        let findings = check(&input).findings;
        let of_module = findings.iter().filter(|finding| finding.at.file == "vestibule.config.js");
        of_module.map(ToString::to_string).collect()
    }

    fn compiled(own: &str) -> String {
        let vestibule = Some(File::new("vestibule.toml", own));
        compile(&ConfigFiles { vestibule, ..ConfigFiles::default() }).unwrap().0
    }

    #[test]
    fn a_module_that_says_the_same_is_not_mentioned_however_lines_end() {
        let module = compiled(OWN);
        assert_eq!(said_of(&module, OWN, None), [""; 0]);
        assert_eq!(said_of(&module.replace('\n', "\r\n"), &OWN.replace('\n', "\r\n"), None), [""; 0]);
        assert_eq!(said_of(&module, &format!("# a comment\n{OWN}"), None), [""; 0]);
    }

    #[test]
    fn a_module_of_another_file_is_named_with_the_keys_that_differ() {
        let changed = OWN.replace("/auth", "/login").replace("okta.com", "okta.example");
        let said = said_of(&compiled(OWN), &changed, None);
        let expected = "vestibule.config.js:1:1: advice: this is not what vestibule.toml says now, which differs in base_path, providers; run \
                        `npx @vestibule-auth/edge compile`, or let wrangler do it: command = \"npx @vestibule-auth/edge compile\" \
                        in [build]";
        assert_eq!(said, [expected]);
        let wrangler = "name = \"a\"\n[build]\ncommand = \"npx @vestibule-auth/edge compile\"\n";
        let said = said_of(&compiled(OWN), &changed, Some(wrangler));
        assert!(
            said[0].ends_with("; wrangler compiles it anew, before it starts or deploys the Worker"),
            "{said:?}"
        );
    }

    #[test]
    fn a_module_that_compile_did_not_write_is_named() {
        for module in ["", "export default {", "export default [];\n", "module.exports = {};\n"] {
            let said = said_of(module, OWN, None);
            assert!(said[0].contains("this is not what compile makes of vestibule.toml"), "{said:?}");
        }
    }

    #[test]
    fn compiling_does_not_compare_with_what_it_replaces() {
        let input = ConfigFiles {
            vestibule: Some(File::new("vestibule.toml", OWN)),
            compiled: Some(File::new("vestibule.config.js", "")),
            ..ConfigFiles::default()
        };
        let (_, report) = compile(&input).unwrap();
        assert!(report.findings.iter().all(|finding| finding.at.file != "vestibule.config.js"));
    }
}
