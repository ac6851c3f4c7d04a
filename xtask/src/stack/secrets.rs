//! The secrets of a developer's machine, as the runtimes that wrangler does not start get them.

use std::fs;

use anyhow::{Context, Result};

use crate::project::Project;

/// The names and values of the demo's secrets.
pub(super) fn secrets_of_demo(project: &Project) -> Result<Vec<(String, String)>> {
    let text = fs::read_to_string(project.path("demo/dev.vars")).context("cannot read demo/dev.vars")?;
    Ok(text.lines().filter_map(secret).collect())
}

/// The name and the value of a line of `.dev.vars`. `None` for an empty line and a comment.
pub(crate) fn secret(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim().split_once('=')?;
    let (name, value) = (name.trim(), value.trim());
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let unquoted = |quote| value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
    let value = unquoted('"').or_else(|| unquoted('\'')).unwrap_or(value);
    (is_name && !name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_secrets_is_a_name_and_a_value_with_or_without_quotes() {
        let read = |line: &str| secret(line).map(|(name, value)| format!("{name}:{value}"));
        assert_eq!(read("AUTH_SECRET=\"a = b\"").as_deref(), Some("AUTH_SECRET:a = b"));
        assert_eq!(read(" AUTH_ID = x ").as_deref(), Some("AUTH_ID:x"));
        for line in ["", "# AUTH_SECRET=1", "nothing", "../x=1"] {
            assert_eq!(read(line), None, "{line}");
        }
    }
}
