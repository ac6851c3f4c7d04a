//! Places in the configuration, as messages name them.

use std::fmt;

use super::error::{Problems, quoted};
use super::runtime::Runtime;

/// What the places of a configuration begin with.
pub(super) const ROOT: &str = "AUTH";

/// Secrets and variables by name.
pub(super) type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What all checks of one configuration share: the environment, the runtime, and the mistakes found so far.
pub(super) struct Loading<'a> {
    pub(super) env: Env<'a>,
    pub(super) runtime: &'a Runtime,
    pub(super) problems: Problems,
    /// Whether the clients of the providers are read later: see [`Prepared`](super::Prepared).
    pub(super) leaves_clients: bool,
}

impl<'a> Loading<'a> {
    pub(super) fn new(env: Env<'a>, runtime: &'a Runtime) -> Self {
        Self { env, runtime, problems: Problems::default(), leaves_clients: false }
    }
}

/// A place in the configuration, `AUTH.rules[1].match`, or a variable, `AUTH_OKTA_SECRET`. It holds a reference to the
/// place around it and the last step only: the text is made only where a message needs it.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) loading: &'a Loading<'a>,
    above: Option<&'a Place<'a>>,
    key: Option<&'a str>,
    index: Option<usize>,
}

/// Notes a mistake at a place: what is wrong, and how to fix it where the first text does not say that. Both are written as
/// for `format!`.
macro_rules! refuse {
    ($place:expr, $problem:literal $(,)?) => {
        $place.note(format_args!($problem), format_args!(""))
    };
    ($place:expr, $problem:literal, $fix:literal $(,)?) => {
        $place.note(format_args!($problem), format_args!($fix))
    };
}
pub(super) use refuse;

impl<'a> Place<'a> {
    /// The whole configuration.
    pub(super) fn root(loading: &'a Loading<'a>) -> Self {
        Self { loading, above: None, key: Some(ROOT), index: None }
    }

    /// Whether it is the whole configuration.
    pub(super) fn is_root(&self) -> bool {
        self.above.is_none() && self.key == Some(ROOT)
    }

    /// A secret or variable.
    pub(super) fn variable(&self, name: &'a str) -> Self {
        Self { loading: self.loading, above: None, key: Some(name), index: None }
    }

    /// The place of a key in the table at this place.
    pub(super) fn key<'b>(&'b self, key: &'b str) -> Place<'b> {
        Place { loading: self.loading, above: Some(self), key: Some(key), index: None }
    }

    /// The place of an item in the array at this place.
    pub(super) fn index(&self, index: usize) -> Place<'_> {
        Place { loading: self.loading, above: Some(self), key: None, index: Some(index) }
    }

    /// The place of an item in the array that a key of this table holds.
    pub(super) fn item<'b>(&'b self, key: &'b str, index: usize) -> Place<'b> {
        Place { loading: self.loading, above: Some(self), key: Some(key), index: Some(index) }
    }

    /// How the secret of that name is set, which follows "set it".
    pub(super) fn set_secret<'b>(&self, name: &'b str) -> HowToSet<'b> {
        HowToSet { how: self.loading.runtime.set_secret, name }
    }

    /// The last key on the way here.
    pub(super) fn name(&self) -> &'a str {
        self.key.unwrap_or_default()
    }

    /// Notes a mistake at this place: see [`refuse`].
    pub(super) fn note(&self, problem: fmt::Arguments<'_>, fix: fmt::Arguments<'_>) {
        self.loading.problems.note(self.to_string(), problem, fix);
    }

    /// Whether a mistake was noted at this place or inside it.
    pub(super) fn is_refused(&self) -> bool {
        self.loading.problems.concern(&self.to_string())
    }
}

/// How a secret is set. The text is made only where a message needs it.
pub(super) struct HowToSet<'a> {
    /// With `NAME` for the secret's name.
    how: &'static str,
    name: &'a str,
}

impl fmt::Display for HowToSet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.how.replace("NAME", self.name))
    }
}

/// As TOML writes it.
impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            fmt::Display::fmt(above, f)?;
        }
        if let Some(key) = self.key {
            if self.above.is_none() {
                f.write_str(key)?;
            } else {
                write!(f, ".{}", Key(key))?;
            }
        }
        match self.index {
            Some(index) => write!(f, "[{index}]"),
            None => Ok(()),
        }
    }
}

/// A key as TOML writes it.
struct Key<'a>(&'a str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(key) = self;
        let is_bare = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if !key.is_empty() && key.bytes().all(is_bare) { f.write_str(key) } else { quoted(key).fmt(f) }
    }
}

/// What follows the step to `key` in `rest`, the end of a place. `None` if it does not begin with that step.
pub(super) fn rest_after<'a>(key: &str, rest: &'a str) -> Option<&'a str> {
    let rest = rest.strip_prefix('.')?.strip_prefix(Key(key).to_string().as_str())?;
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::config) const RUNTIME: Runtime = Runtime {
        revocations: &[],
        leases: &[],
        sinks: &[],
        metrics: &[],
        login_limits: "",
        services: &[],
        targets: "",
        service_name: "",
        configure: "",
        write_table: "",
        edge: crate::guard::headers::EdgeFields {
            prefix: None,
            headers: &[],
            client_address: None,
            request_id: None,
        },
        decrypts_rsa: false,
        signs_rsa: true,
        set_secret: "as NAME",
        local_secrets: "a file",
    };

    #[test]
    fn a_place_is_written_as_in_toml() {
        let loading = Loading::new(&|_| None, &RUNTIME);
        let root = Place::root(&loading);
        let rule = root.item("rules", 1);
        let require = rule.key("require");
        assert_eq!(require.key("roles").to_string(), "AUTH.rules[1].require.roles");
        assert_eq!(require.key("user.roles\n").to_string(), r#"AUTH.rules[1].require."user.roles\n""#);
        assert_eq!(require.key("").index(0).to_string(), r#"AUTH.rules[1].require.""[0]"#);
        assert_eq!(root.variable("AUTH_OKTA_ID").to_string(), "AUTH_OKTA_ID");
    }

    #[test]
    fn a_place_is_followed_key_by_key() {
        for (key, rest, next) in [
            ("rules", ".rules[1].match", Some("[1].match")),
            ("session", ".session", Some("")),
            ("user.roles\n", r#"."user.roles\n".x"#, Some(".x")),
            ("", r#".""[0]"#, Some("[0]")),
            ("rule", ".rules[1]", None),
            ("rules", "[1].match", None),
            ("rules", "", None),
        ] {
            assert_eq!(rest_after(key, rest), next, "{key:?} {rest}");
        }
    }

    #[test]
    fn a_mistake_counts_for_every_place_around_it_and_no_other() {
        let loading = Loading::new(&|_| None, &RUNTIME);
        let root = Place::root(&loading);
        refuse!(root.item("rules", 1).key("match"), "no");
        assert!(root.is_refused() && root.key("rules").is_refused() && root.item("rules", 1).is_refused());
        assert!(!root.key("rule").is_refused() && !root.item("rules", 0).is_refused());
    }
}
