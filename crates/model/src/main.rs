//! `cargo xtask model`: checks all models, and prints a table.

use std::process::ExitCode;

use vestibule_model::check::{Checked, Extent, checks};

fn main() -> ExitCode {
    println!("{}", Checked::HEADING);
    let mut broken = Vec::new();
    for check in checks(Extent::Whole) {
        let mut checked = check();
        println!("{}", checked.line());
        broken.append(&mut checked.broken);
    }
    for text in &broken {
        println!("\n{text}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
