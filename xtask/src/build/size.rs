//! What the Worker weighs, against its budget, and what must not be in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

use super::{MODULE, SCRIPT};
use crate::wasm::{Function, Module};

/// What both files together should weigh, compressed: what an isolate that starts has to load.
pub(super) const BUDGET: usize = 220 * 1024;

/// Above this the tests fail: what the Worker weighs with every provider, rounded up. It is for lowering; a change that
/// needs more of it needs a reason.
const LIMIT: usize = 300 * 1024;

/// Crates and modules that weigh much, and why each has no place here. A dependency, or one line of code, can
/// bring one along without anybody noticing.
const FORBIDDEN: &[(&str, &str)] = &[
    ("icu_normalizer", "tables for international host names, which are refused"),
    ("icu_properties", "tables for international host names, which are refused"),
    ("unicode_normalization", "tables for international host names, which are refused"),
    ("regex_automata", "a regular expression engine beside that of the rules"),
    ("regex_syntax", "a regular expression engine beside that of the rules"),
    ("fancy_regex", "a regular expression engine that goes back and forth"),
    ("rsa", "the platform checks and makes signatures"),
    ("p256", "the platform checks and makes signatures"),
    ("p384", "the platform checks and makes signatures"),
    ("ed25519_compact", "the platform checks and makes signatures"),
    ("elliptic_curve", "the platform checks and makes signatures"),
    ("num_bigint_dig", "the platform checks and makes signatures"),
    ("serde_path_to_error", "the configuration is read by hand (crates/core/src/config/schema)"),
    ("serde_wasm_bindgen", "values cross to JavaScript one by one (src/bindings.rs)"),
    ("core::num::flt2dec", "serde_json prints floating point numbers, and nothing else does"),
    (
        "core::num::dec2flt",
        "its tables cannot be compressed; a lifetime in a text is read by hand (crates/core/src/oauth/token.rs)",
    ),
    ("core::slice::sort", "few entries are kept sorted (src/sorted.rs)"),
    ("chrono", "times are seconds (src/time.rs)"),
    ("hashbrown", "few entries are kept sorted (src/sorted.rs)"),
];

/// Prints the size of each file and of both together, raw and compressed, and holds them against a budget. Gives what
/// both together weigh, compressed, in bytes.
pub(super) fn report(place: &str, output: &Path, budget: Option<usize>) -> Result<usize> {
    let mut total = (0, 0);
    for name in [MODULE, SCRIPT] {
        let bytes = fs::read(output.join(name)).with_context(|| format!("cannot read {place}/{name}"))?;
        let compressed = gzip(&bytes)?;
        println!("   {place}/{name}: {}, gzip {}", kib(bytes.len()), kib(compressed));
        total = (total.0 + bytes.len(), total.1 + compressed);
    }
    println!("   together: {}, gzip {}", kib(total.0), kib(total.1));
    if let Some(budget) = budget {
        println!("   budget: {}, {} over it", kib(budget), kib(total.1.saturating_sub(budget)));
    }
    Ok(total.1)
}

/// Refuses a Worker that weighs more than [`LIMIT`], or has something of [`FORBIDDEN`] in it.
pub(super) fn refuse(weight: usize, module: &Module<'_>) -> Result<()> {
    ensure!(
        weight <= LIMIT,
        "the Worker is larger than {}: `cargo xtask size` says what is in it",
        kib(LIMIT)
    );
    let found = forbidden(&module.functions()?);
    ensure!(found.is_empty(), "these must not be in the Worker:\n{}", found.join("\n"));
    Ok(())
}

fn forbidden(functions: &[Function]) -> Vec<String> {
    let line = |(path, why): &(&str, &str)| {
        let own: Vec<_> = functions.iter().filter(|function| mentions(&function.name, path)).collect();
        let largest = own.iter().max_by_key(|function| function.bytes)?;
        let bytes: usize = own.iter().map(|function| function.bytes).sum();
        Some(format!("   {path}, {}, e.g. {} ({why})", kib(bytes), largest.name))
    };
    FORBIDDEN.iter().filter_map(line).collect()
}

/// Whether a function is of that crate or module, or of a trait or type of it.
fn mentions(name: &str, path: &str) -> bool {
    // `core[0123456789abcdef]::fmt` in one way of mangling, `core::fmt` in the other.
    let plain: String =
        name.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect();
    plain.match_indices(path).any(|(at, _)| {
        let before = plain.get(..at).and_then(|before| before.chars().next_back());
        let is_start = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':');
        is_start && plain.get(at + path.len()..).is_some_and(|rest| rest.starts_with("::"))
    })
}

/// Prints what is in the module: its largest crates, with the modules of this one apart, and functions.
pub(super) fn contents(module: &Module<'_>) -> Result<()> {
    const SHOWN: usize = 40;
    let mut functions = module.functions()?;
    let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for function in &functions {
        let group = groups.entry(group(&function.name)).or_default();
        *group = (group.0 + function.bytes, group.1 + 1);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (bytes, _))| std::cmp::Reverse(*bytes));
    functions.sort_by_key(|function| std::cmp::Reverse(function.bytes));

    println!("\n{:>10}  functions  of", "code");
    for (name, (bytes, count)) in groups.iter().take(SHOWN) {
        println!("{bytes:>10} {count:>10}  {name}");
    }
    println!("\n{:>10}  function", "code");
    for function in functions.iter().take(SHOWN) {
        println!("{:>10}  {}", function.bytes, function.name);
    }
    println!("\n{:>10}  data: texts and tables", module.data());
    Ok(())
}

/// The crate of a function, and for this one the module.
fn group(name: &str) -> String {
    let path = name.trim_start_matches('<').trim_start_matches('&').trim_start_matches("mut ");
    let path = path.trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '_');
    let path = path.split(['<', '>', ' ', '(', ',', '{']).next().unwrap_or_default();
    let mut parts = path.split("::");
    let first = parts.next().unwrap_or_default();
    let first = first.split('[').next().unwrap_or_default();
    match (first, parts.next(), parts.next()) {
        ("vestibule", Some(module), Some(_)) => format!("vestibule::{module}"),
        ("", ..) => "without a name".to_owned(),
        _ => first.to_owned(),
    }
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

#[allow(clippy::cast_precision_loss, reason = "sizes of files, to one decimal")]
fn kib(bytes: usize) -> String {
    format!("{:.1} KiB", bytes as f64 / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_is_found_by_its_own_name_alone() {
        for (name, is_rsa) in [
            ("rsa::key::decrypt", true),
            ("<rsa::RsaPublicKey as core::fmt::Debug>::fmt", true),
            ("core::ptr::drop_in_place<rsa::Key>", true),
            ("<rsa[0123456789abcdef]::Key>::new", true),
            ("vestibule::rsa::key", false),
            ("conversa::x", false),
            ("rsax::x", false),
            ("vestibule::jose::jwk::material::rsa", false),
        ] {
            assert_eq!(mentions(name, "rsa"), is_rsa, "{name}");
        }
        assert!(mentions("<core[0123456789abcdef]::num::flt2dec::x>::y", "core::num::flt2dec"));
    }

    #[test]
    fn what_is_forbidden_is_named_with_its_weight_and_the_reason() {
        let function = |name: &str, bytes| Function { name: name.to_owned(), bytes };
        let found =
            forbidden(&[function("p256::a", 1024), function("p256::b", 2048), function("serde::x", 9)]);
        assert_eq!(found, ["   p256, 3.0 KiB, e.g. p256::b (the platform checks and makes signatures)"]);
    }

    #[test]
    fn functions_are_counted_to_their_crate() {
        for (name, of) in [
            ("vestibule::flow::refresh::ready::{{closure}}::h0123", "vestibule::flow"),
            ("<vestibule::session::claims::Session as core::fmt::Debug>::fmt", "vestibule::session"),
            ("<&mut serde_json::de::Deserializer<R> as serde::Deserializer>::x", "serde_json"),
            ("core[c5930c85a12de822]::fmt::write", "core"),
            ("", "without a name"),
        ] {
            assert_eq!(group(name), of);
        }
    }
}
