//! What a component for wasi:http is built for.

use clap::ValueEnum;

/// The shared store that a component is built for. A host has to have what it uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// Redis, over wasi:sockets
    #[default]
    Redis,
    /// The host's wasi:keyvalue
    Keyvalue,
    /// None: the component needs no more than wasi:http and wasi:cli
    None,
}

impl Store {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Keyvalue => "keyvalue",
            Self::None => "none",
        }
    }
}
