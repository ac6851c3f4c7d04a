//! What a component for wasi:http would refuse about a configuration, and what it would advise.

use vestibule_wasi_settings::settings;
use vestibule_wasi_settings::values::RUNTIME;

use crate::advice::located;
use crate::check::{Report, refused};
use crate::deployment::{ConfigFiles, Deployment, Files};
use crate::document::File;
use crate::finding::Finding;
use crate::load::Loaded;

/// Checks a `vestibule.toml`. Secrets are not known: the component gets them where it starts, and with them the address of
/// Redis, if there is one.
pub fn check_component(file: File) -> Report {
    let input = ConfigFiles { vestibule: Some(file), may_lack_secrets: true, ..ConfigFiles::default() };
    let files = match Files::read(&input) {
        Ok(files) => files,
        Err(findings) => return Report::new(findings),
    };
    Report::new(files.deployment(None).map(|deployment| findings(&deployment)).unwrap_or_default())
}

fn findings(deployment: &Deployment<'_>) -> Vec<Finding> {
    let loaded = Loaded::new(deployment, &RUNTIME);
    let mut findings: Vec<Finding> = loaded.errors.iter().map(|error| refused(deployment, error)).collect();
    // A key that a variable may replace is more probably forgotten than set elsewhere.
    let (settable, keys): (Vec<_>, Vec<_>) =
        loaded.missing.iter().partition(|(name, error)| *name == error.place);
    findings.extend(keys.iter().map(|(_, error)| refused(deployment, error)));
    if !settable.is_empty() {
        let names: Vec<&str> = settable.iter().map(|(name, _)| name.as_str()).collect();
        let problem = format!("the component needs {}", names.join(", "));
        let fix = "set each where the component starts, as a variable, or as a file of that name in the folder secrets";
        findings.push(Finding::advice(deployment.at.clone(), "secrets", problem, fix));
    }
    if loaded.config.is_none() {
        return findings;
    }
    let stored = |has_redis| {
        let config = loaded.load(deployment).ok()?;
        Some(settings::stored(config, has_redis).map(|config| settings::advice(&config, has_redis)))
    };
    let (Some(with), Some(without)) = (stored(true), stored(false)) else { return findings };
    let with = match with {
        Ok(advice) => advice,
        Err(errors) => {
            findings.extend(errors.iter().map(|error| refused(deployment, error)));
            return findings;
        }
    };
    findings.extend(with.iter().map(|text| located(deployment, text)));
    match without {
        Ok(advice) => {
            let only_without = advice.iter().filter(|text| !with.contains(text));
            findings.extend(only_without.map(|text| {
                let finding = located(deployment, text);
                Finding { problem: format!("without AUTH_REDIS_URL: {}", finding.problem), ..finding }
            }));
        }
        Err(errors) => findings.extend(errors.iter().map(|error| {
            let finding = refused(deployment, error);
            Finding::advice(finding.at, finding.place, finding.problem, finding.fix)
        })),
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    const OKTA: &str =
        "base_path = \"/auth\"\n[[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n";

    fn said(text: &str) -> Vec<String> {
        let report = check_component(File::new("vestibule.toml", text));
        report.findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_rules_are_those_of_the_component() {
        // Each is accepted on Workers.
        for (text, expected) in [
            (
                "[refresh]\nlease = \"kv\"\n",
                "vestibule.toml:6:1: error: AUTH.refresh.lease: \"kv\" is not a known value; known here: redis, none",
            ),
            (
                "[[upstreams]]\nto = \"service:API\"\n",
                "vestibule.toml:6:1: error: AUTH.upstreams[0].to: \"service:API\" is not a known target; write \"origin\" \
                 or \"https://app.example.com\"",
            ),
        ] {
            let said = said(&format!("{OKTA}{text}"));
            let errors: Vec<&String> = said.iter().filter(|finding| finding.contains(": error: ")).collect();
            assert_eq!(errors, [expected], "{said:#?}");
        }
    }

    #[test]
    fn what_depends_on_redis_and_on_secrets_is_advice() {
        let said = said(&format!("{OKTA}[session]\ntokens = \"store\"\n"));
        assert!(said.iter().all(|finding| finding.contains(": advice: ")), "{said:#?}");
        for part in [
            "the component needs AUTH_OKTA_ID, AUTH_OKTA_SECRET, AUTH_SECRET",
            "AUTH.session.tokens: \"store\" needs",
        ] {
            assert!(said.iter().any(|finding| finding.contains(part)), "{part}: {said:#?}");
        }
        let said = self::said(OKTA);
        let part =
            "advice: AUTH.revocation.store: without AUTH_REDIS_URL: a sign-out only removes the cookie";
        assert!(said.iter().any(|finding| finding.contains(part)), "{said:#?}");
    }

    #[test]
    fn a_file_that_is_no_toml_is_an_error_with_its_place() {
        let said = said("base_path = \n");
        assert!(said.len() == 1 && said[0].starts_with("vestibule.toml:1:13: error: "), "{said:#?}");
    }
}
