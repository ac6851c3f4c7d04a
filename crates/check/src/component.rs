//! What a component for wasi:http would refuse about a configuration, and what it would advise.

use vestibule_core::config::Runtime;
use vestibule_wasi_settings::settings;
use vestibule_wasi_settings::values::{KEY_VALUE_RUNTIME, RUNTIME};

use crate::advice::located;
use crate::check::{Report, refused};
use crate::deployment::{ConfigFiles, Deployment, Files};
use crate::document::File;
use crate::finding::Finding;
use crate::load::Loaded;

/// The shared store that a component is built for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ComponentStore {
    /// Redis, if its address is set where the component starts.
    Redis,
    /// The host's `wasi:keyvalue`, if it is a shared store.
    KeyValue,
    /// None.
    None,
}

impl ComponentStore {
    fn runtime(self) -> &'static Runtime {
        match self {
            Self::Redis | Self::None => &RUNTIME,
            Self::KeyValue => &KEY_VALUE_RUNTIME,
        }
    }

    /// What is missing where there is no such store in the end.
    fn absent(self) -> &'static str {
        match self {
            Self::Redis | Self::None => "without AUTH_REDIS_URL",
            Self::KeyValue => "on a host that keeps nothing in wasi:keyvalue",
        }
    }
}

/// Checks a `vestibule.toml`. Secrets are not known: the component gets them where it starts, and with them the address of
/// Redis, if there is one. Nor is it known what the host keeps.
pub fn check_component(file: File, store: ComponentStore) -> Report {
    let input = ConfigFiles { vestibule: Some(file), may_lack_secrets: true, ..ConfigFiles::default() };
    let files = match Files::read(&input) {
        Ok(files) => files,
        Err(findings) => return Report::new(findings),
    };
    Report::new(files.deployment(None).map(|deployment| findings(&deployment, store)).unwrap_or_default())
}

fn findings(deployment: &Deployment<'_>, store: ComponentStore) -> Vec<Finding> {
    let runtime = store.runtime();
    let loaded = Loaded::new(deployment, runtime);
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
    let stored = |has_store| {
        let config = loaded.load(deployment).ok()?;
        let counts = has_store && store == ComponentStore::Redis;
        Some(
            settings::stored(config, runtime, has_store)
                .map(|config| settings::advice(&config, runtime, counts)),
        )
    };
    let has_store = store != ComponentStore::None;
    let (Some(with), Some(without)) = (stored(has_store), stored(false)) else { return findings };
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
                Finding { problem: format!("{}: {}", store.absent(), finding.problem), ..finding }
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
        said_of(ComponentStore::Redis, text)
    }

    fn said_of(store: ComponentStore, text: &str) -> Vec<String> {
        let report = check_component(File::new("vestibule.toml", text), store);
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
                "[revocation]\nstore = \"durable-object\"\n",
                "vestibule.toml:6:1: error: AUTH.revocation.store: \"durable-object\" is not a known value; known here: \
                 redis, none",
            ),
        ] {
            let said = said(&format!("{OKTA}{text}"));
            let errors: Vec<&String> = said.iter().filter(|finding| finding.contains(": error: ")).collect();
            assert_eq!(errors, [expected], "{said:#?}");
        }
    }

    #[test]
    fn the_rules_are_those_of_the_store_that_the_component_is_built_for() {
        let text = format!("{OKTA}[refresh]\nlease = \"keyvalue\"\n");
        let errors = |store| {
            said_of(store, &text)
                .into_iter()
                .filter(|finding| finding.contains(": error: "))
                .collect::<Vec<_>>()
        };
        assert_eq!(errors(ComponentStore::KeyValue), Vec::<String>::new());
        assert_eq!(errors(ComponentStore::Redis).len(), 1);
        let advice = said_of(ComponentStore::KeyValue, OKTA);
        let part = "on a host that keeps nothing in wasi:keyvalue: a sign-out only removes the cookie";
        assert!(advice.iter().any(|finding| finding.contains(part)), "{advice:#?}");
        let stored = format!("{OKTA}[session]\ntokens = \"store\"\n");
        let said = said_of(ComponentStore::None, &stored);
        assert!(said.iter().any(|finding| finding.contains(": error: AUTH.session.tokens")), "{said:#?}");
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
