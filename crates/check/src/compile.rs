//! Compiles `vestibule.toml` into a module that becomes a part of the Worker.

use crate::check::{Report, check};
use crate::deployment::Input;

/// The text of `vestibule.config.js`, and what the check advises.
///
/// # Errors
/// The configuration has mistakes: nothing is written, so the build fails before a deployment can.
pub fn compile(input: &Input) -> Result<(String, Report), Report> {
    let report = check(input);
    if report.errors() > 0 {
        return Err(report);
    }
    let Some(file) = &input.vestibule else { return Err(report) };
    let Ok(auth) = file.parse() else { return Err(report) };
    let auth = auth.to_json();
    // JSON is JavaScript since ES2019, with every character.
    let auth = serde_json::to_string_pretty(&auth).unwrap_or_default();
    let name = &file.name;
    Ok((
        format!("// Compiled from {name}. Change that file, and compile it again.\nexport default {auth};\n"),
        report,
    ))
}
