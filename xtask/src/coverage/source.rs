//! What in the sources is code, and not a test.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::export::File;
use crate::layers;
use crate::project::Project;

/// The files of these crates, except those that are only compiled in tests.
pub(super) fn files(project: &Project, sources: &[&str]) -> Result<BTreeSet<String>> {
    let files = sources.iter().map(|source| layers::source_files(project, source));
    Ok(files.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// Removes what tests are from a file's lines and branches.
pub(super) fn forget_tests(root: &Path, file: &mut File) -> Result<()> {
    let text =
        fs::read_to_string(root.join(&file.name)).with_context(|| format!("cannot read {}", file.name))?;
    let tests = tests(&text).with_context(|| format!("cannot parse {}", file.name))?;
    let is_test = |line: u64| tests.iter().any(|(from, to)| (*from..=*to).contains(&line));
    file.lines.retain(|line, _| !is_test(*line));
    file.branches.retain(|(line, _), _| !is_test(*line));
    Ok(())
}

/// The first and the last line of each item that is only compiled in tests.
fn tests(text: &str) -> syn::Result<Vec<(u64, u64)>> {
    let mut tests = Tests::default();
    tests.visit_file(&syn::parse_file(text)?);
    Ok(tests.lines)
}

#[derive(Default)]
struct Tests {
    lines: Vec<(u64, u64)>,
}

impl Tests {
    fn add(&mut self, item: &impl Spanned) {
        let span = item.span();
        self.lines.push((span.start().line as u64, span.end().line as u64));
    }
}

impl<'ast> Visit<'ast> for Tests {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if layers::only_in_tests(layers::of_item(item)) {
            self.add(item);
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        if layers::only_in_tests(&function.attrs) {
            self.add(function);
        } else {
            visit::visit_impl_item_fn(self, function);
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn tests_are_found_by_their_attributes() {
        let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n}\nimpl A {\n    #[cfg(test)]\n    fn a() {\n    }\n    fn b() {}\n}\n";
        assert_eq!(super::tests(text).unwrap(), [(2, 4), (6, 8)]);
    }
}
