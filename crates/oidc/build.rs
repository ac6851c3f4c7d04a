//! Splits `src/presets/presets.json` into its entries, so that a program parses only the presets that it uses.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::{env, fs};

use serde_json::Value;

const TABLE: &str = "src/presets/presets.json";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={TABLE}");
    let table: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(TABLE)?)?;
    let mut entries = String::from("&[\n");
    for (id, entry) in table {
        // The debug form of a string is also a literal of Rust.
        writeln!(entries, "({id:?}, {:?}),", entry.to_string())?;
    }
    entries.push_str("]\n");
    let output = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?).join("presets.rs");
    Ok(fs::write(output, entries)?)
}
