//! What a runtime other than Workers would refuse about a configuration, and what it would advise. Secrets are not known: it
//! gets them where it starts, and with them the address of Redis, if there is one. Nor is it known what a component's host keeps.

use std::collections::BTreeSet;

use vestibule_core::config::Config;
use vestibule_core::config::error::ConfigErrors;
use vestibule_wasi_settings::settings;
use vestibule_wasi_settings::values::SERVICES;

use crate::advice::located;
use crate::deployment::Deployment;
use crate::finding::Finding;
use crate::load::{Loaded, refused};
use crate::runtime::{ComponentStore, RunsOn};

/// What is wrong and what is odd.
pub(crate) fn findings(deployment: &Deployment<'_>, runs_on: RunsOn) -> Vec<Finding> {
    let loaded = Loaded::new(deployment, runs_on.runtime(true));
    let mut findings: Vec<Finding> = loaded.errors.iter().map(|error| refused(deployment, error)).collect();
    // A key that a variable may replace is more probably forgotten than set elsewhere.
    let (settable, keys): (Vec<_>, Vec<_>) =
        loaded.missing.iter().partition(|(name, error)| *name == error.place);
    findings.extend(keys.iter().map(|(_, error)| refused(deployment, error)));
    if !settable.is_empty() {
        let names: Vec<&str> = settable.iter().map(|(name, _)| name.as_str()).collect();
        let (who, fix) = secrets(runs_on);
        let problem = format!("{who} needs {}", names.join(", "));
        findings.push(Finding::advice(deployment.at.clone(), "secrets", problem, fix));
    }
    let Some(config) = &loaded.config else { return findings };
    findings.extend(needed_services(deployment, runs_on, config));
    let has_store = runs_on != RunsOn::Wasi(ComponentStore::None);
    let advice = |has_store| stored(&loaded, deployment, runs_on, has_store);
    let (with, without) = match (advice(has_store), advice(false)) {
        // What is for the memory of one process is not for a shared store.
        (Err(_), Ok(advice)) => (advice.clone(), Ok(advice)),
        (Ok(advice), without) => (advice, without),
        (Err(errors), Err(_)) => {
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
                Finding { problem: format!("{}: {}", absent(runs_on), finding.problem), ..finding }
            }));
        }
        Err(errors) => findings.extend(errors.iter().map(|error| {
            let finding = refused(deployment, error);
            Finding::advice(finding.at, finding.place, finding.problem, finding.fix)
        })),
    }
    findings
}

/// Who needs the secrets, and how they are set.
fn secrets(runs_on: RunsOn) -> (&'static str, &'static str) {
    match runs_on {
        RunsOn::Workers => ("the Worker", "set each with `wrangler secret put`"),
        RunsOn::Native => (
            "the server",
            "set each where the server starts, as a variable, or as a file of that name in the folder of --secrets",
        ),
        RunsOn::Wasi(_) => (
            "the component",
            "set each where the component starts, as a variable, or as a file of that name in the folder secrets",
        ),
    }
}

/// The services that have to be named where it starts. It is refused there without them.
fn needed_services(deployment: &Deployment<'_>, runs_on: RunsOn, config: &Config) -> Option<Finding> {
    let services: Vec<_> = config.services().collect();
    let (place, _) = services.first()?;
    let names: BTreeSet<&str> = services.iter().map(|(_, name)| *name).collect();
    let list = names.iter().map(|name| format!("{name}=URL")).collect::<Vec<_>>().join(",");
    let fix = match runs_on {
        RunsOn::Native => format!("start it with --services {list}"),
        RunsOn::Workers | RunsOn::Wasi(_) => format!("start it with --env {SERVICES}={list}"),
    };
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    let problem = format!("{} needs the address of {names}", secrets(runs_on).0);
    Some(Finding::advice(deployment.locate(place), place.clone(), problem, fix))
}

/// What is missing where there is no shared store in the end.
fn absent(runs_on: RunsOn) -> &'static str {
    match runs_on {
        RunsOn::Wasi(ComponentStore::KeyValue) => "on a host that keeps nothing in wasi:keyvalue",
        _ => "without AUTH_REDIS_URL",
    }
}

/// The advice about the configuration where there is a shared store, or where there is none. The error is what needs the other.
fn stored(
    loaded: &Loaded,
    deployment: &Deployment<'_>,
    runs_on: RunsOn,
    has_store: bool,
) -> Result<Vec<String>, ConfigErrors> {
    let runtime = runs_on.runtime(has_store);
    let config = loaded.load_for(deployment, runtime).map_err(ConfigErrors::from_iter)?;
    if runs_on == RunsOn::Native {
        let config = vestibule_server_settings::stored(config, runtime)?;
        return Ok(vestibule_server_settings::advice(&config, runtime));
    }
    let counts = has_store && runs_on == RunsOn::Wasi(ComponentStore::Redis);
    let config = settings::stored(config, runtime, has_store)?;
    Ok(settings::advice(&config, runtime, counts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::check;
    use crate::deployment::ConfigFiles;
    use crate::document::File;

    const OKTA: &str =
        "base_path = \"/auth\"\n[[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n";

    fn said(text: &str) -> Vec<String> {
        said_on(RunsOn::Wasi(ComponentStore::Redis), text)
    }

    fn said_of(store: ComponentStore, text: &str) -> Vec<String> {
        said_on(RunsOn::Wasi(store), text)
    }

    fn said_on(runtime: RunsOn, text: &str) -> Vec<String> {
        let vestibule = Some(File::new("vestibule.toml", text));
        let report = check(&ConfigFiles { vestibule, runtime, ..ConfigFiles::default() });
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
    fn the_services_that_have_to_be_named_at_the_start_are_said() {
        let text = format!(
            "{OKTA}[[upstreams]]\nto = \"service:SHOP\"\nhost = \"shop.example.com\"\n[[upstreams]]\nto = \"service:API\"\n"
        );
        for (runs_on, expected) in [
            (
                RunsOn::Native,
                "the server needs the address of API, SHOP; start it with --services API=URL,SHOP=URL",
            ),
            (
                RunsOn::Wasi(ComponentStore::Redis),
                "the component needs the address of API, SHOP; start it with --env AUTH_SERVICES=API=URL,SHOP=URL",
            ),
        ] {
            let said = said_on(runs_on, &text);
            let expected = format!("vestibule.toml:6:1: advice: AUTH.upstreams[0].to: {expected}");
            assert!(said.contains(&expected), "{expected}: {said:#?}");
        }
    }

    #[test]
    fn a_server_of_your_own_may_keep_everything_in_memory_or_in_redis() {
        let said = |text: &str| said_on(RunsOn::Native, &format!("{OKTA}{text}"));
        let errors =
            |said: Vec<String>| said.into_iter().filter(|finding| finding.contains(": error: ")).count();
        for text in ["", "[refresh]\nlease = \"memory\"\n", "[session]\ntokens = \"store\"\n"] {
            let said = said(text);
            assert!(
                said.len() == 1 && said[0].contains("the server needs AUTH_OKTA_ID"),
                "{text}: {said:#?}"
            );
        }
        for text in [
            "[session]\nrevalidate = \"10m\"\n[refresh]\nlease = \"redis\"\n",
            "[revocation]\nstore = \"redis\"\n",
        ] {
            let said = said(text);
            let part = "needs the address of a Redis server, which is missing; set AUTH_REDIS_URL";
            assert!(said.len() == 2 && said[1].contains(": advice: ") && said[1].contains(part), "{said:#?}");
        }
        let both = "[session]\nrevalidate = \"10m\"\n[refresh]\nlease = \"memory\"\n[revocation]\nstore = \"redis\"\n";
        assert_eq!(errors(said(both)), 1);
        assert_eq!(errors(said("[refresh]\nlease = \"kv\"\n")), 1);
    }

    #[test]
    fn a_file_that_is_no_toml_is_an_error_with_its_place() {
        let said = said("base_path = \n");
        assert!(said.len() == 1 && said[0].starts_with("vestibule.toml:1:13: error: "), "{said:#?}");
    }
}
