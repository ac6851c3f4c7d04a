//! `cargo xtask who --hash HASH < users.txt`: says which user a hash in the audit log is. It sends nothing over the network,
//! and prints no secret.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use anyhow::{Context, Error, Result};
use clap::Parser;
use vestibule_check::hashed_user::{HashedUser, SECRETS, find};
use vestibule_core::secret::Secret;
use xtask_arguments::hashed_user::Arguments;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    let mut users = String::new();
    stdin().read_to_string(&mut users).context("cannot read the users from standard input")?;
    let set = SECRETS.iter().filter_map(|name| std::env::var(name).ok());
    let secrets = set.filter(|secret| !secret.is_empty()).map(Secret::new).collect();
    let answer = find(&HashedUser { hash: arguments.hash, secrets, users }).map_err(Error::msg)?;
    stdout().write_all(answer.as_bytes())?;
    Ok(())
}
