//! What the Worker weighs, and what is in it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

use super::module::Contents;
use super::{MODULE, SCRIPT};

/// What both files together may weigh, compressed, before the tests fail: what an isolate that starts has to load. The
/// platform takes several times as much.
const LIMIT: usize = 600 * 1024;

/// Prints the size of each file and of both together, raw and compressed. Gives what both together weigh, compressed,
/// in bytes.
pub(super) fn report(place: &str, output: &Path) -> Result<usize> {
    let mut total = (0, 0);
    for name in [MODULE, SCRIPT] {
        let bytes = fs::read(output.join(name)).with_context(|| format!("cannot read {place}/{name}"))?;
        let compressed = gzip(&bytes)?;
        println!("   {place}/{name}: {}, gzip {}", kib(bytes.len()), kib(compressed));
        total = (total.0 + bytes.len(), total.1 + compressed);
    }
    println!("   together: {}, gzip {}", kib(total.0), kib(total.1));
    Ok(total.1)
}

/// Refuses a Worker that weighs more than [`LIMIT`].
pub(super) fn refuse(weight: usize) -> Result<()> {
    ensure!(
        weight <= LIMIT,
        "the Worker weighs {}, more than the {} it may: `cargo xtask size` says what is in it",
        kib(weight),
        kib(LIMIT)
    );
    Ok(())
}

/// Prints what is in the module: its largest crates, with the modules of its own apart, and functions.
pub(super) fn contents(module: &Contents) {
    const SHOWN: usize = 40;
    let mut groups: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for function in &module.functions {
        let group = groups.entry(group(&function.name)).or_default();
        *group = (group.0 + function.bytes, group.1 + 1);
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, (bytes, _))| std::cmp::Reverse(*bytes));
    let mut functions: Vec<_> = module.functions.iter().collect();
    functions.sort_by_key(|function| std::cmp::Reverse(function.bytes));

    println!("\n{:>10}  functions  of", "code");
    for (name, (bytes, count)) in groups.iter().take(SHOWN) {
        println!("{bytes:>10} {count:>10}  {name}");
    }
    println!("\n{:>10}  function", "code");
    for function in functions.iter().take(SHOWN) {
        println!("{:>10}  {}", function.bytes, function.name);
    }
    println!("\n{:>10}  data: texts and tables", module.data);
}

/// The crate of a function, and for the project's own the module.
fn group(name: &str) -> String {
    let path = name.trim_start_matches('<').trim_start_matches('&').trim_start_matches("mut ");
    let path = path.trim_start_matches(|c: char| !c.is_ascii_alphabetic() && c != '_');
    let path = path.split(['<', '>', ' ', '(', ',', '{']).next().unwrap_or_default();
    let mut parts = path.split("::");
    let first = parts.next().unwrap_or_default();
    let first = first.split('[').next().unwrap_or_default();
    match (first, parts.next(), parts.next()) {
        (own, Some(module), Some(_)) if own.starts_with("vestibule") => format!("{own}::{module}"),
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
    fn a_worker_above_the_limit_is_refused() {
        assert!(refuse(LIMIT).is_ok());
        let message = refuse(LIMIT + 1024).unwrap_err().to_string();
        assert!(message.contains("601.0 KiB") && message.contains("600.0 KiB"), "{message}");
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
