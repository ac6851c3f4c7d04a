//! The command line arguments of `cargo xtask check`.

use clap::{Args, Parser, ValueEnum};

use crate::component::Store;

/// Check a configuration before it is deployed: each mistake with file, line and column
///
/// Ends with an error if there is a mistake; advice alone is none. Without --live nothing is sent over the network.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask check",
    after_help = "For example:\n  cargo xtask check\n  cargo xtask check examples/nextjs --env production --live"
)]
pub struct Arguments {
    /// wrangler.toml, wrangler.json, wrangler.jsonc or vestibule.toml, or the directory with them; what another file is, its keys say
    #[arg(value_name = "FILE", default_value = ".")]
    pub file: String,
    /// Where it is to run.
    #[command(flatten)]
    pub place: Place,
    /// Where the rest is.
    #[command(flatten)]
    pub files: Files,
    /// Print nothing but mistakes, and do not ask for secrets: the build does this
    #[arg(long, conflicts_with = "json")]
    pub errors_only: bool,
    /// Print the findings as JSON
    #[arg(long)]
    pub json: bool,
    /// Ask the providers, too: metadata, keys, the redirect URI, the clock; and whether the origin answers around the Worker
    #[arg(long)]
    pub live: bool,
    /// An address of the site, for --live, for example `https://app.example.com`; may be given several times
    #[arg(long, value_name = "URL", requires = "live")]
    pub site: Vec<String>,
}

/// Where a configuration is to run.
#[derive(Clone, Copy, Debug, Args)]
pub struct Place {
    /// Where it is to run; elsewhere than on Workers the file is the configuration itself, and no wrangler file counts
    #[arg(long, value_name = "NAME", default_value = "workers")]
    pub runtime: Runtime,
    /// The store that the component is built for, with --runtime wasi; redis without this
    #[arg(long, value_name = "STORE")]
    pub store: Option<Store>,
}

/// A runtime whose rules count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// Cloudflare Workers
    Workers,
    /// A server of your own
    Native,
    /// A component for wasi:http
    Wasi,
}

/// What belongs to a configuration besides its file.
#[derive(Clone, Debug, Default, Args)]
pub struct Files {
    /// The environment of the wrangler file; without it, `check` checks all and `explain` the top level
    #[arg(long, value_name = "NAME")]
    pub env: Option<String>,
    /// The file with this machine's secrets; .dev.vars beside the configuration without this
    #[arg(long, value_name = "FILE")]
    pub dev_vars: Option<String>,
    /// A file with the names of the deployed Worker's secrets: the output of `wrangler secret list`
    #[arg(long, value_name = "FILE")]
    pub secrets: Option<String>,
}
