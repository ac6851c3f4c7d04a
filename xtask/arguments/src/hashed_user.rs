//! The command line arguments of `cargo xtask who`.

use clap::Parser;

/// Say which user a hash in the audit log is
///
/// Reads users from standard input, one `PROVIDER:SUB` in a line, and the session secrets from the environment (AUTH_SECRET,
/// AUTH_SECRET_1 to AUTH_SECRET_3). Sends nothing over the network.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask who",
    after_help = "For example:\n  AUTH_SECRET=… cargo xtask who --hash lqxcPcpQ7fD2RkG4bWc2nA < users.txt"
)]
pub struct Arguments {
    /// The hash, as in the line's `subject`; without it, prints the hash of every user
    #[arg(long, value_name = "HASH", allow_hyphen_values = true)]
    pub hash: Option<String>,
}
