//! The section of CHANGELOG.md that belongs to a version, and what it has to say.

use anyhow::{Context, Result, bail};

/// The heading of the changes that no release has yet.
const UNRELEASED: &str = "Unreleased";
/// The heading of what a user has to do something about.
const BREAKING: &str = "**Breaking changes**";
/// What the note of a breaking change begins with.
const MIGRATION: &str = "To migrate:";

/// The text below the heading `## VERSION`, which may be followed by a date. `may_be_unreleased`: if there is none, what is
/// not released yet.
pub(super) fn section<'a>(text: &'a str, version: &str, may_be_unreleased: bool) -> Result<&'a str> {
    let released = below(text, version);
    let unreleased = || below(text, UNRELEASED).filter(|_| may_be_unreleased);
    released.or_else(unreleased).with_context(|| {
        format!("CHANGELOG.md has no section `## {version}`: rename `## {UNRELEASED}`, and add the date")
    })
}

/// Fails if the section says nothing, or if a breaking change has no note that says how to migrate.
pub(super) fn check(section: &str) -> Result<()> {
    if !section.lines().any(|line| line.starts_with("- ")) {
        bail!("the section of CHANGELOG.md lists no change: write one item for each that a user sees");
    }
    let Some((_, breaking)) = section.split_once(BREAKING) else { return Ok(()) };
    let breaking = breaking.split_once("\n**").map_or(breaking, |(items, _)| items);
    for item in breaking.split("\n- ").skip(1) {
        if !item.contains(MIGRATION) {
            let first = item.lines().next().unwrap_or_default();
            bail!("a breaking change in CHANGELOG.md does not say `{MIGRATION} …`: {first}");
        }
    }
    Ok(())
}

fn below<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let is_heading = |line: &str| {
        let heading = line.strip_prefix("## ");
        heading.is_some_and(|heading| heading.split_whitespace().next() == Some(name))
    };
    let mut start = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        match start {
            Some(start) if line.starts_with("## ") => return text.get(start..offset),
            None if is_heading(line) => start = Some(offset + line.len()),
            _ => {}
        }
        offset += line.len();
    }
    text.get(start?..)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "# Changelog\n\n## Unreleased\n\n- new\n\n## 1.2.0 (2026-01-02)\n\n- old\n\n## 1.1.0\n\n- older\n";

    #[test]
    fn a_version_has_the_text_up_to_the_next_heading() {
        assert_eq!(section(TEXT, "1.2.0", false).unwrap(), "\n- old\n\n");
        assert_eq!(section(TEXT, "1.1.0", true).unwrap(), "\n- older\n");
    }

    #[test]
    fn a_version_without_a_section_is_refused_unless_it_is_a_trial() {
        assert_eq!(section(TEXT, "1.3.0", true).unwrap(), "\n- new\n\n");
        let error = section(TEXT, "1.3.0", false).unwrap_err().to_string();
        assert!(error.contains("`## 1.3.0`"), "{error}");
        section(TEXT, "1", false).unwrap_err();
    }

    #[test]
    fn a_section_lists_changes_and_says_how_to_migrate() {
        check("\n- one\n").unwrap();
        check("\nSoon.\n").unwrap_err();
        check("\n**Breaking changes**\n\n- `a` is `b`.\n  To migrate: rename it.\n\n**Pages**\n\n- c\n")
            .unwrap();
        let error =
            check("\n**Breaking changes**\n\n- `a` is `b`.\n\n**Pages**\n\n- To migrate: x\n").unwrap_err();
        assert!(error.to_string().ends_with("`a` is `b`."), "{error}");
    }
}
