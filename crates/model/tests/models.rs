//! A slice of what `cargo xtask model` explores.

#![allow(clippy::panic, reason = "a test stops at the first thing that is wrong")]

use vestibule_model::check::{Checked, Extent, checks};

#[test]
fn no_property_of_the_leases_and_revocations_is_broken() {
    let mut lines = Vec::new();
    for (name, check) in checks(Extent::Slice) {
        let checked: Checked = check(name);
        assert!(checked.broken.is_empty(), "{}\n{}", checked.line(), checked.broken.join("\n"));
        lines.push(checked.line());
    }
    println!("{}\n{}", Checked::HEADING, lines.join("\n"));
}
