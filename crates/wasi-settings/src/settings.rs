//! Everything that a component is told: the configuration, its secrets, and what stands around the host. It is read once, when
//! an instance begins, and what is wrong is a mistake like any other of the configuration.

use std::cell::RefCell;
use std::fmt;

use serde_json::Value;

use vestibule_core::config::error::{ConfigError, ConfigErrors};
use vestibule_core::config::{Config, Prepared, Runtime, Source, Sources, toml_problem};

use vestibule_redis::URL;
use vestibule_redis::redis::Client;

use crate::given::{Given, StoreKind};
use crate::network::Network;
use crate::values::{FILE, KEY_VALUE_RUNTIME, RUNTIME, SERVICES, TRUST_PROXY, VARIABLE};

/// What was read and checked.
pub struct Settings {
    /// The configuration.
    pub config: Config,
    /// The servers around the host.
    pub network: Network,
    /// Whether a proxy in front says how it was asked, and by whom.
    pub trusts_proxy: bool,
    /// The Redis server, if there is one.
    pub redis: Option<Client>,
    /// What an operator should know about it; of a configuration that was laid in only what the build cannot know.
    pub advice: Vec<String>,
}

impl fmt::Debug for Settings {
    /// Leaves out everything: a configuration has secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").finish_non_exhaustive()
    }
}

impl Settings {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// All mistakes that were found. None quotes a secret.
    pub fn load(given: &dyn Given) -> Result<Self, ConfigErrors> {
        let (network, trusts_proxy, redis) = (Network::read(given), trusts_proxy(given), redis(given));
        let store = given.store();
        let (runtime, has_store) = match &store {
            // An address that is wrong is still there: what needs it is not missing.
            StoreKind::Redis => (&RUNTIME, !matches!(redis, Ok(None))),
            StoreKind::KeyValue(is_shared) => (&KEY_VALUE_RUNTIME, is_shared.is_ok()),
            StoreKind::None => (&RUNTIME, false),
        };
        let complete = |config| {
            let config = stored(config, runtime, has_store)?;
            // Where the list of services is wrong, that is the mistake.
            let Ok(network) = &network else { return Ok(config) };
            let fix = |name: &str| format!("add {name}=URL to {SERVICES}, or correct the name");
            config.check_services(&|name| network.services.contains_key(name), &fix)
        };
        let config = checked(given, runtime, &complete);
        match (config, network, trusts_proxy, redis) {
            (Ok(config), Ok(network), Ok(trusts_proxy), Ok(redis)) => {
                // An instance may be of one request. The build has said it of what is laid in.
                let is_said = given.laid_in().is_some();
                let mut advice = if is_said { Vec::new() } else { advice(&config, runtime, redis.is_some()) };
                if let StoreKind::KeyValue(Err(why)) = store {
                    advice.push(format!("there is no shared store: {why} (docs/wasi.md)"));
                }
                Ok(Self { config, network, trusts_proxy, redis, advice })
            }
            (config, network, trusts_proxy, redis) => {
                let of_config =
                    config.err().into_iter().flat_map(|errors| errors.iter().cloned().collect::<Vec<_>>());
                let others = [trusts_proxy.err(), redis.err()].into_iter().flatten();
                Err(of_config.chain(network.err().into_iter().flatten()).chain(others).collect())
            }
        }
    }
}

/// The advice about a checked configuration. `counts`: whether the store counts attempts to sign in.
pub fn advice(config: &Config, runtime: &Runtime, counts: bool) -> Vec<String> {
    let mut advice = config.advice(runtime);
    advice.extend(config.login_limit_advice(runtime, counts));
    advice.extend(config.sink_advice(runtime, &|_| false));
    advice
}

/// The configuration with the stores that there are.
///
/// # Errors
/// What needs a store that there is not.
pub fn stored(config: Config, runtime: &Runtime, has_store: bool) -> Result<Config, ConfigErrors> {
    config
        .check_lease(runtime, &|_| has_store)?
        .check_tokens(runtime, &|_| has_store)?
        .check_revocation(runtime, &|_| has_store)
}

/// Makes of the configuration that is laid into a component what needs neither an environment nor files.
///
/// # Errors
/// All mistakes, of which some may be none where a variable is set.
pub fn prepare(json: &str, runtime: &'static Runtime) -> Result<Prepared, ConfigErrors> {
    Prepared::new(Value::String(json.to_owned()), runtime)
}

/// The configuration, checked. `complete` checks what it needs of the runtime.
fn checked(
    given: &dyn Given,
    runtime: &Runtime,
    complete: &dyn Fn(Config) -> Result<Config, ConfigErrors>,
) -> Result<Config, ConfigErrors> {
    let unreadable = RefCell::new(Vec::new());
    let secret = |name: &str| {
        secret(given, name).unwrap_or_else(|error| {
            let mut unreadable = unreadable.borrow_mut();
            if !unreadable.contains(&error) {
                unreadable.push(error);
            }
            None
        })
    };
    let overrides = given.text(VARIABLE);
    let prepared = given.prepared().filter(|prepared| overrides.is_none() && prepared.is_for(&secret));
    let loaded = prepared.and_then(|prepared| prepared.with_secrets(&secret).ok());
    if let Some(Ok(config)) = loaded.map(complete)
        && unreadable.borrow().is_empty()
    {
        return Ok(config);
    }
    let file = match given.laid_in() {
        Some(json) => Value::String(json.to_owned()),
        None => from_file(given)?,
    };
    let overrides = overrides.map_or(Value::Null, Value::String);
    let mut sources = Sources::new(
        Source { name: FILE.into(), auth: file },
        Source { name: VARIABLE.into(), auth: overrides },
    );
    let loaded = Config::load(sources.take_merged(), &secret, runtime).and_then(complete);
    let unreadable = unreadable.take();
    if unreadable.is_empty() {
        loaded.map_err(|errors| sources.attribute(errors))
    } else {
        // What is missing because it cannot be read would only hide why.
        Err(unreadable.into_iter().collect())
    }
}

fn redis(given: &dyn Given) -> Result<Option<Client>, ConfigError> {
    let Some(url) = secret(given, URL)? else { return Ok(None) };
    if given.store() != StoreKind::Redis {
        let fix = "remove it, or build the component with `--store redis`";
        return Err(ConfigError::new(URL, "this component is not built for Redis", fix));
    }
    let client = vestibule_redis::parse(&url);
    client.map(Some).map_err(|(problem, fix)| ConfigError::new(URL, problem, fix))
}

/// `vestibule.toml` in the folder that the host opens; nothing if there is none.
fn from_file(given: &dyn Given) -> Result<Value, ConfigErrors> {
    let text = given.file(FILE).map_err(|error| {
        ConfigError::new(
            FILE,
            format!("the file cannot be read: {error}"),
            "open its folder with --dir, or remove it",
        )
    })?;
    let Some(text) = text else { return Ok(Value::Null) };
    toml::from_str(&text).map_err(|error| {
        let problem = format!("the file {}", toml_problem(&text, error.span(), error.message()));
        ConfigError::new(FILE, problem, "correct it there").into()
    })
}

/// A secret: a variable of the environment, or a file of that name in the folder `secrets` that the host opens.
fn secret(given: &dyn Given, name: &str) -> Result<Option<String>, ConfigError> {
    if let Some(value) = given.text(name) {
        return Ok(Some(value));
    }
    if !given.has_files() {
        return Ok(None);
    }
    let path = format!("secrets/{name}");
    let text = given.file(&path).map_err(|error| {
        ConfigError::new(
            name,
            format!("the file {path} cannot be read: {error}"),
            "write a text there, or remove it",
        )
    })?;
    Ok(text.map(|text| text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn trusts_proxy(given: &dyn Given) -> Result<bool, ConfigError> {
    match given.text(TRUST_PROXY).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => {
            Err(ConfigError::new(TRUST_PROXY, "neither true nor false", "write \"true\" or \"false\""))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::values::{EGRESS, ORIGIN};
    use vestibule_core::revocation::kind::RevocationStore;

    const OWN: &str =
        "base_path = \"/auth\"\n[[providers]]\nid = \"okta\"\nissuer = \"https://a.okta.com\"\n";

    /// Files whose text is `None` cannot be read.
    #[derive(Default)]
    struct Fake {
        laid_in: Option<&'static str>,
        variables: BTreeMap<&'static str, &'static str>,
        files: BTreeMap<&'static str, Option<&'static str>>,
        store: Option<StoreKind>,
        is_prepared: bool,
    }

    impl Given for Fake {
        fn laid_in(&self) -> Option<&str> {
            self.laid_in
        }

        fn prepared(&self) -> Option<Prepared> {
            prepare(self.laid_in.filter(|_| self.is_prepared)?, &RUNTIME).ok()
        }

        fn variable(&self, name: &str) -> Option<String> {
            self.variables.get(name).map(|value| (*value).to_owned())
        }

        fn file(&self, path: &str) -> Result<Option<String>, String> {
            match self.files.get(path) {
                Some(None) => Err("stream did not contain valid UTF-8".to_owned()),
                Some(Some(text)) => Ok(Some((*text).to_owned())),
                None => Ok(None),
            }
        }

        fn store(&self) -> StoreKind {
            self.store.clone().unwrap_or(StoreKind::Redis)
        }
    }

    fn valid() -> Fake {
        Fake {
            laid_in: None,
            variables: BTreeMap::from([
                ("AUTH_SECRET", "0123456789abcdefghijklmnopqrstuvwxyz0123456789"),
                ("AUTH_OKTA_ID", "id"),
                ("AUTH_OKTA_SECRET", "hunter2"),
            ]),
            files: BTreeMap::from([(FILE, Some(OWN))]),
            store: None,
            is_prepared: false,
        }
    }

    fn refused(given: &Fake) -> Vec<String> {
        let Err(errors) = Settings::load(given) else { return Vec::new() };
        errors.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_valid_configuration_is_read_from_the_file_or_from_what_is_laid_in() {
        let mut given = valid();
        let settings = Settings::load(&given).unwrap();
        assert!(settings.network.origin.is_none() && !settings.trusts_proxy);
        given.laid_in =
            Some(r#"{"base_path":"/laid-in","providers":[{"id":"okta","issuer":"https://a.okta.com"}]}"#);
        given.variables.extend([
            (ORIGIN, "http://127.0.0.1:3000"),
            (SERVICES, "API=http://api:4000, SHOP=https://shop"),
            (EGRESS, "http://127.0.0.1:3128"),
            (TRUST_PROXY, "true"),
        ]);
        let settings = Settings::load(&given).unwrap();
        let network = settings.network;
        assert!(network.origin.is_some() && network.egress.is_some() && settings.trusts_proxy);
        assert_eq!(network.services.into_keys().collect::<Vec<_>>(), ["API", "SHOP"]);
        given.variables.insert(TRUST_PROXY, "false");
        assert!(!Settings::load(&given).unwrap().trusts_proxy);
    }

    #[test]
    fn a_variable_that_is_empty_is_not_set() {
        let mut given = valid();
        let names = [ORIGIN, SERVICES, TRUST_PROXY, VARIABLE, URL, "AUTH_DEMO_ISSUER"];
        given.variables.extend(names.map(|name| (name, "")));
        given.variables.insert("AUTH_OKTA_SECRET", "");
        assert_eq!(refused(&given).len(), 1);
        given.files.insert("secrets/AUTH_OKTA_SECRET", Some("hunter2"));
        let settings = Settings::load(&given).unwrap();
        assert!(settings.network.origin.is_none() && settings.redis.is_none() && !settings.trusts_proxy);
    }

    /// With a preset, a template with a secret, a rule, and secrets that need not be there.
    const LARGE: &str = r#"{"base_path":"/auth","origin":"https://app.example","claims":{"roles":"profile.roles"},
        "providers":[{"id":"okta","scope":"openid offline_access"},{"id":"github"},
            {"id":"own","issuer":"https://a.example","jwks":"https://a.example/keys"}],
        "rules":[{"match":"/admin/:path*","require":{"roles":["admin"]}}],
        "upstreams":[{"to":"origin","authorization":"access_token","headers":{"X-Email":"email"}}]}"#;

    #[test]
    fn what_was_prepared_makes_the_same_configuration_with_any_variables() {
        let secrets = ["AUTH_GITHUB_ID", "AUTH_GITHUB_SECRET", "AUTH_OWN_ID", "AUTH_OWN_SECRET"];
        let more: [&[(&str, &str)]; 7] = [
            &[("AUTH_OKTA_ISSUER", "https://b.okta.com")],
            &[
                ("AUTH_OKTA_ISSUER", "https://c.okta.com"),
                ("AUTH_SECRET_1", "an-older-secret-of-the-site-that-is-long"),
            ],
            &[("AUTH_OKTA_ISSUER", "https://d.okta.com"), (VARIABLE, r#"{"base_path":"/login"}"#)],
            &[(VARIABLE, r#"{"providers":[{"id":"own","issuer":"https://e.example"}]}"#)],
            &[("AUTH_OKTA_ISSUER", "http://f.okta.com")],
            &[("AUTH_OKTA_ISSUER", "https://g.okta.com"), ("AUTH_OKTA_ID", "")],
            &[],
        ];
        let mut loaded = 0;
        for laid_in in
            [LARGE, &LARGE.replace(r#""id":"okta""#, r#""id":"okta","issuer":"https://a.okta.com""#)]
        {
            for more in more {
                let laid_in: &'static str = laid_in.to_owned().leak();
                let mut given = Fake { laid_in: Some(laid_in), ..valid() };
                given.variables.extend(secrets.map(|name| (name, "value")));
                given.variables.extend(more.iter().copied());
                let shown = |given: &Fake| match Settings::load(given) {
                    Ok(settings) => format!("{:#?} {:?}", settings.config, settings.advice),
                    Err(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
                };
                let expected = shown(&given);
                loaded += usize::from(expected.starts_with("Config"));
                given.is_prepared = true;
                assert_eq!(shown(&given), expected, "{more:?}");
            }
        }
        assert!(loaded > 6, "{loaded}");
    }

    #[test]
    fn a_variable_that_changes_what_was_prepared_is_noticed() {
        let prepared = prepare(
            &LARGE.replace(r#""id":"okta","#, r#""id":"okta","issuer":"https://a.okta.com","#),
            &RUNTIME,
        )
        .unwrap();
        let with = |set: &'static str| move |name: &str| (name == set).then(|| "value".to_owned());
        assert!(prepared.is_for(&with("AUTH_OWN_SECRET")) && prepared.is_for(&with("AUTH_SECRET")));
        // The preset of GitHub has no issuer, so one that is set is used.
        assert!(!prepared.is_for(&with("AUTH_GITHUB_ISSUER")));
    }

    #[test]
    fn nothing_that_is_set_and_cannot_be_read_is_ignored() {
        let variable = |name, value| {
            let mut given = valid();
            given.variables.insert(name, value);
            given
        };
        let file = |path, text| {
            let mut given = valid();
            given.variables.remove("AUTH_OKTA_SECRET");
            given.files.extend([("secrets/AUTH_OKTA_SECRET", Some("hunter2")), (path, text)]);
            given
        };
        for (given, expected) in [
            (
                variable(VARIABLE, "{"),
                "AUTH (AUTH): the string must contain a JSON object, but is not valid JSON at line 1, column 1; write \
                 vestibule.toml, or the JSON of it into the variable AUTH",
            ),
            (
                variable(VARIABLE, "[]"),
                "AUTH (AUTH): the string must contain a JSON object; write vestibule.toml: `base_path = \"/auth\"`, \
                 `providers = [{ id = \"okta\" }]` (docs/wasi.md)",
            ),
            (
                Fake { laid_in: Some("{\"base_path\":"), ..valid() },
                "AUTH (vestibule.toml): the string must contain a JSON object, but is not valid JSON at line 1, column \
                 13; write vestibule.toml, or the JSON of it into the variable AUTH",
            ),
            (
                file(FILE, None),
                "vestibule.toml: the file cannot be read: stream did not contain valid UTF-8; open its folder with \
                 --dir, or remove it",
            ),
            (
                file(FILE, Some("base_path = \"/auth\"\nrules = [\n")),
                "vestibule.toml: the file is not TOML at line 2, column 10: unclosed array, expected `]`; correct it there",
            ),
            (
                file("secrets/AUTH_OKTA_SECRET", None),
                "AUTH_OKTA_SECRET: the file secrets/AUTH_OKTA_SECRET cannot be read: stream did not contain valid UTF-8; \
                 write a text there, or remove it",
            ),
            (
                variable(ORIGIN, "127.0.0.1:3000"),
                "AUTH_ORIGIN_URL: not an absolute URL; write an origin, for example \"http://127.0.0.1:3000\"",
            ),
            (
                variable(ORIGIN, "http://a:b@app.example"),
                "AUTH_ORIGIN_URL: a URL with a user name or password; write an origin, for example \
                 \"http://127.0.0.1:3000\"",
            ),
            (
                variable(ORIGIN, "http://app.example/below"),
                "AUTH_ORIGIN_URL: the URL must not have a path, a query or a fragment, which are those of the request; \
                 write an origin, for example \"http://127.0.0.1:3000\"",
            ),
            (
                variable(SERVICES, "http://api:4000"),
                "AUTH_SERVICES: \"http://api:4000\" has no \"=\" after its name; write NAME=URL, and a comma between two: \
                 \"API=http://api:4000,SHOP=http://shop:4000\"",
            ),
            (
                variable(SERVICES, "API=http://api:4000,API=http://b"),
                "AUTH_SERVICES: API is there twice; write NAME=URL, and a comma between two: \
                 \"API=http://api:4000,SHOP=http://shop:4000\"",
            ),
            (
                variable(EGRESS, "http://10.0.0.1:3128"),
                "AUTH_EGRESS_URL: the gateway would get secrets in plain http over the network; write https, or a gateway \
                 on this machine, for example \"http://127.0.0.1:3128\"",
            ),
            (
                variable(EGRESS, "https://egress.internal/x"),
                "AUTH_EGRESS_URL: the URL must not have a path, a query or a fragment, which are those of the request; \
                 write https, or a gateway on this machine, for example \"http://127.0.0.1:3128\"",
            ),
            (
                variable(URL, "rediss://:hunter2@redis.example"),
                "AUTH_REDIS_URL: it is not the address of a Redis server; write for example redis://127.0.0.1:6379",
            ),
            (
                variable(TRUST_PROXY, "yes"),
                "AUTH_TRUST_PROXY: neither true nor false; write \"true\" or \"false\"",
            ),
        ] {
            assert_eq!(refused(&given), [expected]);
        }
    }

    #[test]
    fn a_service_that_the_component_does_not_know_is_refused_with_its_place_and_not_when_its_path_is_called()
    {
        const OF_SERVICES: &str = r#"{"providers":[{"id":"okta","issuer":"https://a.okta.com"}],
            "rules":[{"match":"/shop/:path*","access":"public","to":"service:SHOP"}],"upstreams":[{"to":"service:API"}]}"#;
        let of_file = |is_prepared| {
            let mut given = Fake { laid_in: Some(OF_SERVICES), is_prepared, ..valid() };
            given.variables.insert(SERVICES, "API=http://api:4000");
            given
        };
        for mut given in [of_file(false), of_file(true)] {
            let expected = "AUTH.rules[0].to (vestibule.toml): there is no service \"SHOP\"; add SHOP=URL to AUTH_SERVICES, \
                            or correct the name";
            assert_eq!(refused(&given), [expected]);
            // A list that is wrong is the only mistake.
            given.variables.insert(SERVICES, "API");
            assert_eq!(refused(&given).len(), 1);
            given.variables.insert(SERVICES, "API=http://api:4000,SHOP=http://shop:4000");
            assert_eq!(refused(&given), [""; 0]);
            given.variables.insert(VARIABLE, r#"{"upstreams":[{"to":"service:OTHER"}]}"#);
            assert!(
                refused(&given)[0].starts_with("AUTH.upstreams[0].to (AUTH): there is no service \"OTHER\"")
            );
        }
    }

    #[test]
    fn what_needs_redis_is_refused_without_it() {
        let own = "base_path = \"/auth\"\n[session]\ntokens = \"store\"\n[[providers]]\nid = \"okta\"\n\
                   issuer = \"https://a.okta.com\"\n";
        let mut given = valid();
        assert!(Settings::load(&given).unwrap().redis.is_none());
        given.files.insert(FILE, Some(own));
        let expected = "AUTH.session.tokens (vestibule.toml): \"store\" needs the address of a Redis server, which is missing; \
                        set AUTH_REDIS_URL, for example \"redis://127.0.0.1:6379\", or write tokens = \"cookie\" \
                        (docs/sessions.md)";
        assert_eq!(refused(&given), [expected]);
        given.variables.insert(URL, "redis://127.0.0.1:6379");
        let settings = Settings::load(&given).unwrap();
        assert!(settings.redis.is_some());
        assert_eq!(settings.config.revocation.store, RevocationStore::Lock);
    }

    #[test]
    fn a_key_value_store_is_used_where_it_is_shared_and_said_where_it_is_not() {
        let own = "base_path = \"/auth\"\n[refresh]\nlease = \"keyvalue\"\n[revocation]\nstore = \"keyvalue\"\n[[providers]]\nid = \"okta\"\n\
                   issuer = \"https://a.okta.com\"\nscope = \"openid offline_access\"\n";
        let with = |store, text| {
            let mut given = valid();
            given.store = Some(store);
            given.files.insert(FILE, Some(text));
            given
        };
        let shared = Settings::load(&with(StoreKind::KeyValue(Ok(())), own)).unwrap();
        assert_eq!(shared.config.revocation.store, RevocationStore::Lock);
        let forgets = || StoreKind::KeyValue(Err("the host forgets what is written".to_owned()));
        let without = Settings::load(&with(forgets(), OWN)).unwrap();
        assert_eq!(without.config.revocation.store, RevocationStore::None);
        let says = "there is no shared store: the host forgets what is written (docs/wasi.md)";
        assert!(without.advice.iter().any(|advice| advice == says), "{:?}", without.advice);
        let expected = "AUTH.revocation.store (vestibule.toml): \"keyvalue\" needs a key-value store that keeps what is written, \
                        which the host has not; use another host, or the component that is built for Redis";
        assert_eq!(refused(&with(forgets(), own)), [expected]);
    }

    #[test]
    fn the_address_of_redis_is_refused_by_a_component_that_is_not_built_for_it() {
        for store in [StoreKind::KeyValue(Ok(())), StoreKind::None] {
            let mut given = valid();
            given.store = Some(store);
            given.variables.insert(URL, "redis://127.0.0.1:6379");
            let expected = "AUTH_REDIS_URL: this component is not built for Redis; remove it, or build the component with \
                            `--store redis`";
            assert_eq!(refused(&given), [expected]);
        }
    }

    #[test]
    fn all_mistakes_are_said_at_once() {
        let mut given = valid();
        given.files.insert(FILE, Some("base_path = \"/auth\"\nrule = []\n[[providers]]\nid = \"okta\"\n"));
        given.variables.extend([(ORIGIN, "app"), (SERVICES, "API"), (EGRESS, ""), (TRUST_PROXY, "1")]);
        let places: Vec<String> =
            Settings::load(&given).unwrap_err().iter().map(|error| error.place.clone()).collect();
        assert_eq!(places, ["AUTH.rule", "AUTH.providers[0].issuer", ORIGIN, SERVICES, EGRESS, TRUST_PROXY]);
    }
}
