//! The command line of `cargo xtask explain`.

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::{Map, Value};

/// Explain what the rules of wrangler.toml say about a request, and why
///
/// Nothing is sent anywhere, and no secret is needed.
#[derive(Debug, Parser)]
#[command(
    bin_name = "cargo xtask explain",
    after_help = "For example:\n  cargo xtask explain GET https://app.example.com/admin --claims '{\"roles\": [\"user\"]}'"
)]
pub struct Arguments {
    /// The request's method, for example GET
    pub method: String,
    /// The request's URL, for example `https://app.example.com/admin`
    pub url: String,
    /// Ask as somebody who is signed in with these claims, a JSON object; otherwise signed out
    #[arg(long, value_name = "JSON", value_parser = claims)]
    pub claims: Option<Map<String, Value>>,
    /// Ask as somebody who is signed out, as without this
    #[arg(long, conflicts_with = "claims")]
    pub signed_out: bool,
    /// A header field of the request; may be given several times
    #[arg(long, value_name = "NAME: VALUE", value_parser = field, allow_hyphen_values = true)]
    pub header: Vec<(String, String)>,
    /// The file with the rules
    #[arg(long, value_name = "FILE", default_value = "wrangler.toml")]
    pub config: String,
}

fn claims(text: &str) -> Result<Map<String, Value>> {
    serde_json::from_str(text).context("this is no JSON object")
}

fn field(text: &str) -> Result<(String, String)> {
    let (name, value) = text.split_once(':').context("there is no colon between name and value")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
