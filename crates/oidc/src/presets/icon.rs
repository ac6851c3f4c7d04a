//! The icons of the presets' brands.
//!
//! `icons.txt` is a table that is searched as it is: on each line the id of a preset, and the path of its icon (SVG 2,
//! "Path data") on 24 by 24. `cargo xtask icons` renews it.

const TABLE: &str = include_str!("icons.txt");

/// The path of a preset's icon. `None` if there is no icon of that brand.
pub fn icon(preset: &str) -> Option<&'static str> {
    let entries = TABLE.lines().filter(|line| !line.starts_with('#'));
    let lines = entries.filter_map(|line| line.split_once(' '));
    lines.filter(|(id, _)| *id == preset).map(|(_, path)| path).next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::{ids, preset};

    #[test]
    fn the_table_has_icons_of_presets_only_and_each_is_a_path() {
        let lines: Vec<(&str, &str)> = TABLE
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_once(' ').unwrap())
            .collect();
        assert!(lines.is_sorted_by(|(a, _), (b, _)| a < b) && lines.len() > 50);
        for (id, path) in lines {
            assert!(preset(id).is_some(), "{id}");
            let is_plain = |b: u8| b.is_ascii_alphanumeric() || b" .,-".contains(&b);
            assert!(path.starts_with(['M', 'm']) && path.bytes().all(is_plain), "{id}");
            assert_eq!(icon(id), Some(path));
        }
    }

    #[test]
    fn what_has_no_icon_has_none() {
        assert!(ids().any(|id| icon(id).is_none()));
        for other in ["", "#", "acme", "okt", "Okta", "okta M"] {
            assert_eq!(icon(other), None, "{other}");
        }
    }
}
