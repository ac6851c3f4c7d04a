//! The list in docs/runtimes.md of what each runtime does not run is that of the tests and of the table of needs.
//! `UPDATE=1 cargo test -p vestibule-test-runtimes` writes it.

#![allow(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test panics at the first failure"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use vestibule_test_runtimes::{Kind, Need};

/// The suites that run on each runtime.
const SUITES: [&str; 4] = ["authjs", "conformance", "worker", "worker_refresh"];

const BEGIN: &str = "<!-- what is not run: written by a test -->\n";
const END: &str = "<!-- the end of it -->\n";

/// The functions that need something, and which of them need it for a part only.
#[derive(Default)]
struct Uses {
    whole: BTreeMap<String, BTreeSet<String>>,
    part: BTreeMap<String, BTreeSet<String>>,
}

/// Reads one file.
struct Reader<'a> {
    file: String,
    function: String,
    uses: &'a mut Uses,
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        let outer = std::mem::replace(&mut self.function, item.sig.ident.to_string());
        syn::visit::visit_item_fn(self, item);
        self.function = outer;
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        let map = match item.path.segments.last().map(|name| name.ident.to_string()).as_deref() {
            Some("needs") => &mut self.uses.whole,
            Some("part_needs") => &mut self.uses.part,
            _ => return,
        };
        for need in item.tokens.to_string().split(',') {
            let path = format!("{}::{}", self.file, self.function);
            map.entry(need.trim().to_owned()).or_default().insert(path);
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of tests") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            files_under(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn uses() -> Uses {
    let mut uses = Uses::default();
    for suite in SUITES {
        let folder = root().join("tests").join(suite);
        let mut files = Vec::new();
        files_under(&folder, &mut files);
        for path in files {
            let text = fs::read_to_string(&path).expect("a test");
            let file = syn::parse_file(&text).expect("Rust");
            let within = path.strip_prefix(&folder).expect("it is there").with_extension("");
            let within = within.to_string_lossy().replace('/', "::");
            let within = within.trim_end_matches("::mod");
            let (file_name, function) = (format!("{suite}::{within}"), String::new());
            Reader { file: file_name, function, uses: &mut uses }.visit_file(&file);
        }
    }
    uses
}

fn list() -> String {
    let Uses { whole, part } = uses();
    let names: BTreeSet<String> = Need::ALL.into_iter().map(Need::name).collect();
    let used: BTreeSet<String> = whole.keys().chain(part.keys()).cloned().collect();
    assert_eq!(used, names, "what tests need, and what the table has");
    let mut list = String::new();
    for kind in [Kind::Native, Kind::Wasi] {
        let what = match kind {
            Kind::Native => "A server of your own",
            _ => "A component in wasmtime",
        };
        let _ = writeln!(list, "\n{what} does not have:\n");
        for need in Need::ALL {
            let Some(reason) = need.missing(kind) else { continue };
            let mut tests: Vec<String> = Vec::new();
            for (uses, before) in [(&whole, ""), (&part, "a part of ")] {
                let users = uses.get(&need.name()).into_iter().flatten();
                tests.extend(users.map(|test| format!("{before}`{test}`")));
            }
            let _ = writeln!(list, "- {reason}: {}", tests.join(", "));
        }
    }
    list + "\n"
}

#[test]
fn the_document_lists_every_test_that_a_runtime_does_not_run() {
    let path = root().join("docs/runtimes.md");
    let document = fs::read_to_string(&path).expect("docs/runtimes.md");
    let (before, rest) = document.split_once(BEGIN).expect("the begin of the list");
    let (written, after) = rest.split_once(END).expect("the end of the list");
    let list = list();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{list}{END}{after}")).expect("docs/runtimes.md is written");
    } else {
        assert_eq!(written, list, "run UPDATE=1 cargo test -p vestibule-test-runtimes");
    }
}
