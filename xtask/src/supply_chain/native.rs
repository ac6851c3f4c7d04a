//! Which crates bring code in C, or link a library that is not Rust.

use std::collections::BTreeMap;

use super::metadata::{Dependency, Metadata, Package};
use super::{Artefact, Linked};

/// What a build script compiles code in C or C++ with.
const COMPILERS: [&str; 2] = ["cc", "cmake"];

/// What the manifests of all crates say of native code.
pub(super) struct Manifests(BTreeMap<(String, String), Native>);

/// What a crate's manifest says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Native {
    /// Its build script has a compiler.
    Compiles,
    /// It has the key `links`, and no compiler: it links a library of the system, or only wants to be there once.
    Links,
}

impl Package {
    fn native(&self) -> Option<Native> {
        let is_compiler =
            |it: &&Dependency| it.kind.as_deref() == Some("build") && COMPILERS.contains(&it.name.as_str());
        if self.dependencies.iter().any(|it| is_compiler(&it)) {
            return Some(Native::Compiles);
        }
        self.links.as_ref().map(|_| Native::Links)
    }
}

impl Manifests {
    /// Those of all crates.
    pub(super) fn new(metadata: &Metadata) -> Self {
        let native =
            |package: &Package| Some(((package.name.clone(), package.version.clone()), package.native()?));
        Self(metadata.packages.iter().filter_map(native).collect())
    }

    fn of<'a>(&'a self, crates: &'a [Linked], native: Native) -> impl Iterator<Item = &'a Linked> {
        let key = |one: &Linked| (one.name.clone(), one.version.clone());
        crates.iter().filter(move |one| self.0.get(&key(one)) == Some(&native))
    }

    /// The names of the crates that have code in C.
    pub(super) fn in_c<'a>(&'a self, crates: &'a [Linked]) -> impl Iterator<Item = &'a str> {
        self.of(crates, Native::Compiles).map(|one| one.name.as_str())
    }

    /// The crates that link something without a compiler, but for those of which is `known` that it is Rust.
    pub(super) fn problems(
        &self,
        artefact: &Artefact,
        crates: &[Linked],
        known: &BTreeMap<String, String>,
    ) -> Vec<String> {
        let unknown = self.of(crates, Native::Links).filter(|one| !known.contains_key(&one.name));
        let problem = |one: &Linked| {
            format!(
                "{} {} in {} has the key `links`: say in [links] of xtask/src/supply_chain/purposes.toml why it links nothing",
                one.name, one.version, artefact.name
            )
        };
        unknown.map(problem).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supply_chain::WORKER;

    fn package(manifest: &str) -> Package {
        serde_json::from_str(manifest).unwrap()
    }

    #[test]
    fn a_crate_whose_build_script_has_a_compiler_has_code_in_c() {
        let compiles =
            r#"{"name":"a","version":"1.0.0","links":"a","dependencies":[{"name":"cc","kind":"build"}]}"#;
        assert_eq!(package(compiles).native(), Some(Native::Compiles));
        let links =
            r#"{"name":"a","version":"1.0.0","links":"a","dependencies":[{"name":"cc","kind":"dev"}]}"#;
        assert_eq!(package(links).native(), Some(Native::Links));
        let plain =
            r#"{"name":"a","version":"1.0.0","links":null,"dependencies":[{"name":"cc","kind":null}]}"#;
        assert_eq!(package(plain).native(), None);
    }

    #[test]
    fn a_crate_that_links_a_library_needs_a_reason() {
        let one = Linked { name: "a".into(), version: "1.0.0".into(), licence: "MIT".into() };
        let manifests = Manifests(BTreeMap::from([(("a".into(), "1.0.0".into()), Native::Links)]));
        let crates = [one];
        assert_eq!(manifests.in_c(&crates).count(), 0);
        assert_eq!(manifests.problems(&WORKER, &crates, &BTreeMap::new()).len(), 1);
        let known = BTreeMap::from([("a".to_owned(), "a reason".to_owned())]);
        assert_eq!(manifests.problems(&WORKER, &crates, &known), [""; 0]);
    }
}
