//! `cargo xtask model`: checks the models, and prints a table. With an argument only those whose names contain it; with `--names`
//! the names of all.

use std::process::ExitCode;

use vestibule_model::check::{Checked, Extent, checks};

fn main() -> ExitCode {
    let part = std::env::args().nth(1).unwrap_or_default();
    if part == "--names" {
        for (name, _) in checks(Extent::Whole) {
            println!("{name}");
        }
        return ExitCode::SUCCESS;
    }
    println!("{}", Checked::HEADING);
    let mut broken = Vec::new();
    for (name, check) in checks(Extent::Whole).into_iter().filter(|(name, _)| name.contains(&part)) {
        let mut checked = check(name);
        println!("{}", checked.line());
        broken.append(&mut checked.broken);
    }
    for text in &broken {
        println!("\n{text}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
