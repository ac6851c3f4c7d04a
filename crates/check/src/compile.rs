//! Compiles `vestibule.toml` into a module that becomes a part of the Worker.

use crate::check::{Report, check};
use crate::deployment::ConfigFiles;

/// The text of `vestibule.config.js`, and what the check advises.
///
/// # Errors
/// The configuration has mistakes: nothing is written, so the build fails before a deployment can.
pub fn compile(input: &ConfigFiles) -> Result<(String, Report), Report> {
    // The module that is there is replaced.
    let report = check(&ConfigFiles { may_lack_secrets: true, compiled: None, ..input.clone() });
    if report.errors() > 0 {
        return Err(report);
    }
    let Some(file) = input.own_file() else { return Err(report) };
    let Ok(auth) = file.parse() else { return Err(report) };
    let auth = auth.to_json();
    // JSON is JavaScript since ES2019, with every character.
    let auth = serde_json::to_string_pretty(&auth).unwrap_or_default();
    let name = &file.name;
    Ok((
        format!("// Compiled from {name}. Change that file, and compile it again.\nexport default {auth};\n"),
        report,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::File;

    fn input(text: &str) -> ConfigFiles {
        ConfigFiles { vestibule: Some(File::new("vestibule.toml", text)), ..ConfigFiles::default() }
    }

    #[test]
    fn a_file_becomes_a_module_with_the_same_values() {
        let text = "rules = [{ match = \"/</script>\", require = { roles = [\"a\\u2028b\"] } }]\n\
                    claims = { roles = \"profile.roles\" }\n\
                    [[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n";
        let (module, report) = compile(&input(text)).unwrap();
        assert_eq!(report.errors(), 0);
        let json = module.split_once("export default ").unwrap().1.trim_end().trim_end_matches(';');
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json, File::new("vestibule.toml", text).parse().unwrap().to_json());
    }

    #[test]
    fn a_mistake_compiles_to_nothing_and_a_secret_that_is_set_elsewhere_is_none() {
        assert_eq!(compile(&input("base_paht = \"/\"")).unwrap_err().errors(), 2);
        assert_eq!(compile(&input("a = ")).unwrap_err().errors(), 1);
        let okta = input("[[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n");
        let dev_vars = Some(File::new(".dev.vars", "AUTH_DEMO_ID=x\n"));
        assert!(compile(&ConfigFiles { dev_vars, ..okta }).is_ok());
    }
}
