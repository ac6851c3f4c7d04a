//! The schema of the configuration: every key, its type, and its description in the reference. `read` checks a
//! configuration against these tables; `check` decides what the values mean.
//!
//! Each table of the configuration has its own file here, with the same name as its check file. The allowed words of a key
//! (`"public"`, `"signed-in"`) are next to that key, so that the check and the reference cannot differ.

mod audit;
mod metrics;
mod pages;
mod read;
mod refresh;
mod revocation;
mod session;
mod site;
mod theme;
mod transmitters;
mod upstreams;
mod verify;

pub(super) mod providers;
pub(super) mod rules;

pub(super) use audit::AUDIT;
pub(super) use metrics::METRICS;
pub(super) use pages::PAGES;
pub(super) use read::{read, scalars};
pub(super) use refresh::REFRESH;
pub(super) use revocation::{ON_UNAVAILABLE, REVOCATION};
pub(super) use rules::ACCESS;
pub(super) use session::{ASK, SESSION, TOKEN_STORAGES};
pub(super) use site::{AUTH, DIALECTS};
pub(super) use theme::THEME;
pub(super) use transmitters::TRANSMITTER;
pub(super) use upstreams::{EXACT_PATHS, FRAMEWORKS, HEADER_ENCODINGS, UPSTREAM};
pub(super) use verify::{HEADERS, VERIFY};

#[cfg(feature = "reference")]
use super::Runtime;

/// The keys of a table, in groups. Two tables can share a group.
pub(super) type Keys = &'static [Group];
/// Some keys of a table.
pub(super) type Group = &'static [Key];

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Not in a release build: only the reference needs it.
    #[cfg(feature = "reference")]
    pub(super) doc: Doc,
}

/// What a key's value can be.
pub(super) enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Bool,
    /// Any value.
    Any,
    /// A key that a check refuses with its own advice, and that no message suggests.
    Hidden,
    /// A string, a number, true or false.
    Scalar,
    /// A scalar, or a table, which is sent as JSON.
    ScalarOrTable,
    /// A duration, e.g. `"30d"`.
    Duration,
    /// A duration, or `"none"` for none.
    DurationOrNone,
    /// One string, or an array of them.
    TextOrList,
    /// A string, or a table with any names, whose values are strings.
    TextOrMap,
    /// What a claim must be.
    ClaimTest,
    /// One scalar, or an array of them.
    ScalarOrList,
    /// `true`, `false` or a string.
    BoolOrText,
    /// One of these, or an array of them.
    BoolOrTextOrList,
    /// `true`, `false` or a URL.
    BoolOrUrl,
    /// A table.
    Table(Keys),
    /// A table, or a string, which is the table's `url`.
    UrlOrTable(Keys),
    /// A table, or one of some words.
    WordOrTable(Keys),
    /// An array of tables.
    TableList(Keys),
    /// An array of tables directly below `AUTH`: `[[vars.AUTH.…]]`.
    TopLevelTables(Keys),
    /// The texts of one language: a table of strings, whose names are the keys of [`Text`](crate::texts::Text).
    Texts,
    /// A table with any names, whose values are all of one kind.
    Map(&'static Kind),
}

/// What the reference says about a key.
#[cfg(feature = "reference")]
pub(super) struct Doc {
    /// What it does, in the lines of its doc comment.
    pub(super) about: &'static [&'static str],
    /// The allowed values, where only some words are allowed.
    pub(super) values: Option<fn(&Runtime) -> Vec<String>>,
    /// The value that a missing key has.
    pub(super) default: Option<fn() -> serde_json::Value>,
    /// What happens without the key, in words: where no single value is the default.
    pub(super) unset: Option<&'static str>,
    /// An example value.
    pub(super) example: Option<fn() -> serde_json::Value>,
    /// What the key requires, or when it has an effect.
    pub(super) needs: Option<&'static str>,
}

/// Makes a [`Group`] of a list of keys, each with its description above it. A key without a description does not compile.
///
/// ```text
/// keys! {
///     /// What it does.
///     max_age: Duration, values = CHOICES, default = "30d", unset = "words", example = "12h", needs = "words";
/// }
/// ```
///
/// Everything after the type is optional. A release build contains only names and types.
macro_rules! keys {
    ($(
        $(#[doc = $about:literal])+
        $name:ident: $kind:expr
            $(, values = $values:expr)? $(, default = $default:tt)? $(, unset = $unset:literal)?
            $(, example = $example:tt)? $(, needs = $needs:literal)?;
    )+) => {
        &[$(crate::config::schema::Key {
            name: stringify!($name),
            kind: $kind,
            #[cfg(feature = "reference")]
            doc: crate::config::schema::Doc {
                about: &[$($about),+],
                values: crate::config::schema::keys!(
                    @ $(|runtime| crate::config::schema::Values::list(&$values, runtime))?
                ),
                default: crate::config::schema::keys!(@ $(|| serde_json::json!($default))?),
                unset: crate::config::schema::keys!(@ $($unset)?),
                example: crate::config::schema::keys!(@ $(|| serde_json::json!($example))?),
                needs: crate::config::schema::keys!(@ $($needs)?),
            },
        }),+]
    };
    (@) => { None };
    (@ $value:expr) => { Some($value) };
}
use keys;

/// The allowed words of a key.
#[cfg(feature = "reference")]
pub(super) trait Values {
    fn list(&self, runtime: &Runtime) -> Vec<String>;
}

#[cfg(feature = "reference")]
impl<T, const N: usize> Values for [(&str, T); N] {
    fn list(&self, _: &Runtime) -> Vec<String> {
        self.iter().map(|(word, _)| (*word).to_owned()).collect()
    }
}

#[cfg(feature = "reference")]
impl<const N: usize> Values for [&str; N] {
    fn list(&self, _: &Runtime) -> Vec<String> {
        self.iter().map(|word| (*word).to_owned()).collect()
    }
}

/// The keys of a claim test that is a table: `{ not = … }`, `{ exists = … }`.
pub(super) const CLAIM_TEST: Keys = &[keys! {
    /// The claim has none of these values. A claim that is missing passes.
    not: Kind::ScalarOrList, example = ["free", "trial"];
    /// `true`: the claim is there and is not null. `false`: it is not there.
    exists: Kind::Bool, example = true;
}];
