//! The command line arguments of `cargo xtask explain`.

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Map, Value};

use crate::check::{Files, Place};

/// Explain how the rules of a configuration treat a request, and why
///
/// Sends nothing over the network and needs no secret.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask explain",
    after_help = "For example:\n  cargo xtask explain GET https://app.example.com/admin --claims '{\"roles\": [\"user\"]}'\n  cargo xtask explain --table"
)]
pub struct Arguments {
    /// The request's method, for example GET
    #[arg(required_unless_present = "table")]
    pub method: Option<String>,
    /// The request's URL, for example `https://app.example.com/admin`
    #[arg(required_unless_present = "table")]
    pub url: Option<String>,
    /// The claims of a signed-in user, a JSON object; without this the user is signed out
    #[arg(long, value_name = "JSON", value_parser = claims)]
    pub claims: Option<Map<String, Value>>,
    /// The user is signed out; this is the default
    #[arg(long, conflicts_with = "claims")]
    pub signed_out: bool,
    /// A header field of the request; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = field, allow_hyphen_values = true)]
    pub header: Vec<(String, String)>,
    /// Print all rules and what each lets through for whom, instead of one request
    #[arg(long, conflicts_with_all = ["method", "url", "claims", "signed_out", "header"])]
    pub table: bool,
    /// Print the table as JSON
    #[arg(long, requires = "table", conflicts_with = "url")]
    pub json: bool,
    /// The file with the rules, or its directory
    #[arg(long, value_name = "FILE", default_value = ".")]
    pub config: String,
    /// Where it is to run.
    #[command(flatten)]
    pub place: Place,
    /// What belongs to it.
    #[command(flatten)]
    pub files: Files,
}

fn claims(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).context("this is not a JSON object")
}

fn field(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once(':').context("write `NAME: VALUE`; there is no colon")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
