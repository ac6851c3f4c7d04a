//! What a host gives a component: variables, files, and what was laid in.

use vestibule_core::config::Prepared;

/// Where the settings come from.
pub trait Given {
    /// The configuration that was laid into the component when it was built, as JSON.
    fn laid_in(&self) -> Option<&str>;

    /// What was made of it before there was an environment. It is given once.
    fn prepared(&self) -> Option<Prepared> {
        None
    }

    /// A variable of the environment.
    fn variable(&self, name: &str) -> Option<String>;

    /// The same, of which an empty one counts as not set.
    fn text(&self, name: &str) -> Option<String> {
        self.variable(name).filter(|value| !value.is_empty())
    }

    /// Whether the host opens a folder with files.
    fn has_files(&self) -> bool {
        true
    }

    /// The text of a file in the folder that the host opens; `None` if there is none.
    ///
    /// # Errors
    /// The host's, in words.
    fn file(&self, path: &str) -> Result<Option<String>, String>;

    /// Which shared store the component is built for.
    fn store(&self) -> StoreKind {
        StoreKind::Redis
    }
}

/// The shared store that a component is built for. What it does not use it does not ask the host for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// Redis over `wasi:sockets`, if its address is set.
    Redis,
    /// The host's `wasi:keyvalue`: an error where it is no shared store, and why.
    KeyValue(Result<(), String>),
    /// None.
    None,
}
