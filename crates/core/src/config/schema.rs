//! The configuration as it is written: every key, its type, and what the reference says about it. `read` holds what is
//! written against these tables; what the values mean is for `check` to say.
//!
//! The tables are in files of their own, which have the names of their check files. Choices of words (`"public"`,
//! `"signed-in"`) are here too, beside the keys that have them, so that the check and the reference cannot differ.

mod pages;
mod read;
mod refresh;
mod session;
mod site;
mod upstreams;
mod verify;

pub(super) mod providers;
pub(super) mod rules;

pub(super) use pages::PAGES;
pub(super) use read::{read, scalars};
pub(super) use refresh::REFRESH;
pub(super) use rules::ACCESS;
pub(super) use session::SESSION;
pub(super) use site::{AUTH, DIALECTS};
pub(super) use upstreams::{EXACT_PATHS, FRAMEWORKS, UPSTREAM};
pub(super) use verify::{HEADERS, VERIFY};

#[cfg(feature = "reference")]
use super::Runtime;

/// The keys of a table, in groups, so that tables can share some.
pub(super) type Keys = &'static [Group];
/// Some keys of a table.
pub(super) type Group = &'static [Key];

/// A key of a table.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// Not in a release build: the Worker has no use for it.
    #[cfg(feature = "reference")]
    pub(super) doc: Doc,
}

/// What a key's value can be.
pub(super) enum Kind {
    /// A string.
    Text,
    /// `true` or `false`.
    Bool,
    /// Anything at all.
    Any,
    /// A key that is refused with advice of its own, and suggested to nobody.
    Hidden,
    /// A string, a number, true or false.
    Scalar,
    /// The same, or a table, which is sent as JSON.
    ScalarOrTable,
    /// A duration, e.g. `"30d"`.
    Duration,
    /// One string, or an array of them.
    TextOrList,
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
    /// An array of tables.
    TableList(Keys),
    /// The same, right below `AUTH`, where it is written `[[vars.AUTH.…]]`.
    TopLevelTables(Keys),
    /// A table with any names, whose values are all of one kind.
    Map(&'static Kind),
}

/// What the reference says about a key.
#[cfg(feature = "reference")]
pub(super) struct Doc {
    /// What it does, in the lines of its doc comment.
    pub(super) about: &'static [&'static str],
    /// The words that can be written, where there are only some.
    pub(super) values: Option<fn(&Runtime) -> Vec<String>>,
    /// What is used where the key is not written.
    pub(super) default: Option<fn() -> serde_json::Value>,
    /// The same in words, where no one value says it.
    pub(super) unset: Option<&'static str>,
    /// A value as one would write it.
    pub(super) example: Option<fn() -> serde_json::Value>,
    /// What else has to be there, or where the key has an effect.
    pub(super) needs: Option<&'static str>,
}

/// Writes a [`Group`]: one key after the other, each under its description. A key without a description does not compile.
///
/// ```text
/// keys! {
///     /// What it does.
///     max_age: Duration, values = CHOICES, default = "30d", unset = "words", example = "12h", needs = "words";
/// }
/// ```
///
/// What stands behind the type can be left out. Only name and type are in a release build.
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

/// Words that can be written for a key.
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

/// What a claim must be, where more than its value is written.
pub(super) const CLAIM_TEST: Keys = &[keys! {
    /// The claim has none of these values. A claim that is missing passes.
    not: Kind::ScalarOrList, example = ["free", "trial"];
    /// `true`: the claim is there and is not null. `false`: it is not there.
    exists: Kind::Bool, example = true;
}];
