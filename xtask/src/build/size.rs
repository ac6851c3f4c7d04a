//! Reports the size of the Worker and its contents, and checks the limit.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};

use super::module::Contents;
use super::{MODULE, SCRIPT};

/// The maximum compressed size of both files together, in bytes. A new isolate has to load them. The platform's own limit
/// is several times larger.
const LIMIT: usize = 1360 * 1024;

/// Prints the size of each file and of both together, raw and compressed. Gives the compressed size of both together, in
/// bytes.
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

/// Fails if `compressed` bytes are more than [`LIMIT`].
pub(super) fn check_limit(compressed: usize) -> Result<()> {
    ensure!(
        compressed <= LIMIT,
        "the Worker has {} compressed; the limit is {}. `cargo xtask size` lists what takes the space",
        kib(compressed),
        kib(LIMIT)
    );
    Ok(())
}

/// Prints the largest crates and functions of the module. The crates of this project are listed by module.
pub(super) fn print_contents(module: &Contents) {
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

/// The crate of a function. For the crates of this project: crate and module.
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
    fn a_worker_above_the_limit_is_rejected() {
        assert!(check_limit(LIMIT).is_ok());
        let message = check_limit(LIMIT + 1024).unwrap_err().to_string();
        assert!(message.contains("1361.0 KiB") && message.contains("1360.0 KiB"), "{message}");
    }

    #[test]
    fn functions_are_grouped_by_crate() {
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
