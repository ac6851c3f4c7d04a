//! `cargo xtask who --hash HASH < users.txt`: says which user a hash in the audit log is. It sends nothing over the network,
//! and prints no secret.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::Parser;
use vestibule_core::log::find_subjects;
use vestibule_core::secret::Secret;
use xtask_arguments::hashed_user::Arguments;

/// The session secrets. A line is named by the one that was the newest when it was written.
const SECRETS: [&str; 4] = ["AUTH_SECRET_3", "AUTH_SECRET_2", "AUTH_SECRET_1", "AUTH_SECRET"];

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    let mut users = String::new();
    stdin().read_to_string(&mut users).context("cannot read the users from standard input")?;
    let answer = answer(arguments.hash.as_deref(), &|name| std::env::var(name).ok(), &users)?;
    stdout().write_all(answer.as_bytes())?;
    Ok(())
}

/// One line for each user who is found, with the hash in front.
fn answer(hash: Option<&str>, env: &dyn Fn(&str) -> Option<String>, users: &str) -> Result<String> {
    let set = SECRETS.iter().filter_map(|name| env(name)).filter(|secret| !secret.is_empty());
    let secrets: Vec<Secret> = set.map(Secret::new).collect();
    if secrets.is_empty() {
        bail!("no secret is set: set AUTH_SECRET in the environment, as the Worker has it");
    }
    let found = match find_subjects(&secrets, hash, users) {
        Ok(found) => found,
        Err(line) => bail!("{line:?} is not PROVIDER:SUB"),
    };
    if found.is_empty() {
        bail!("none of these users has this hash, by any of the {} secrets that are set", secrets.len());
    }
    let lines: Vec<String> = found.iter().map(|named| format!("{}\t{}", named.hash, named.subject)).collect();
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        (name == "AUTH_SECRET").then(|| "the-secret-of-this-test".to_owned())
    }

    #[test]
    fn the_user_of_a_hash_is_printed_and_an_unknown_one_is_an_error() {
        let users = "okta:alice\nokta:bob\n";
        let all = answer(None, &env, users).unwrap();
        assert_eq!(all.lines().count(), 2);
        let (hash, _) = all.lines().nth(1).unwrap().split_once('\t').unwrap();
        assert_eq!(answer(Some(hash), &env, users).unwrap(), format!("{hash}\tokta:bob\n"));
        assert!(answer(Some(hash), &env, "okta:alice\n").unwrap_err().to_string().contains("none of these"));
        assert!(answer(Some(hash), &env, "bob").unwrap_err().to_string().contains("\"bob\" is not"));
        assert!(answer(Some(hash), &|_| None, users).unwrap_err().to_string().contains("AUTH_SECRET"));
    }
}
