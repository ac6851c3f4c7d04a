//! Prints the coverage.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::export::{Count, Counts, File, ranges};

/// The lines that did not run, and the places of the conditions that were always true or always false, of the files whose
/// paths contain `text`.
pub(super) fn uncovered(files: &[File], text: &str) -> String {
    let mut list = String::new();
    for file in files.iter().filter(|file| file.name.contains(text)) {
        let lines: BTreeSet<u64> =
            file.lines.iter().filter(|(_, count)| **count == 0).map(|(line, _)| *line).collect();
        if !lines.is_empty() {
            let _ = writeln!(list, "{}: {}", file.name, ranges(&lines));
        }
        for ((line, column), [taken, not_taken]) in &file.branches {
            // Of a line that did not run, this says nothing new.
            if lines.contains(line) {
                continue;
            }
            let missing = match (*taken > 0, *not_taken > 0) {
                (true, true) => continue,
                (true, false) => "never false",
                (false, true) => "never true",
                (false, false) => "never reached",
            };
            let _ = writeln!(list, "{}:{line}:{column}: {missing}", file.name);
        }
    }
    list
}

/// A table with a row for each room, and one for all.
pub(super) fn rooms(files: &[File], sources: &[&str]) -> String {
    let mut rooms: BTreeMap<&str, Counts> = BTreeMap::new();
    for file in files {
        let room = rooms.entry(room(&file.name, sources)).or_default();
        *room = room.plus(file.counts());
    }
    let mut table = format!("{:24} {:>21}   {:>21}\n", "room", "lines", "branches");
    for (room, counts) in &rooms {
        row(&mut table, room, *counts);
    }
    row(&mut table, "all", rooms.values().copied().fold(Counts::default(), Counts::plus));
    table
}

/// `crates/core/src/flow` of `crates/core/src/flow/guard/protect.rs` or of `crates/core/src/flow.rs`.
fn room<'a>(name: &'a str, sources: &[&str]) -> &'a str {
    let source =
        sources.iter().find(|source| name.starts_with(**source)).map_or(0, |source| source.len() + 1);
    let rest = name.get(source..).unwrap_or_default();
    let end = rest.find('/').or_else(|| rest.find(".rs")).unwrap_or(rest.len());
    name.get(..source + end).unwrap_or(name)
}

fn row(table: &mut String, name: &str, counts: Counts) {
    let cell = |count: Count| format!("{:>6}/{:<6} {:5.1} %", count.ran, count.all, count.percent());
    let _ = writeln!(table, "{name:24} {}   {}", cell(counts.lines), cell(counts.branches));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str) -> File {
        File {
            name: name.to_owned(),
            lines: BTreeMap::from([(1, 1), (2, 0), (3, 0), (4, 2)]),
            branches: BTreeMap::from([((1, 4), [1, 0]), ((2, 4), [0, 0]), ((4, 9), [1, 1])]),
        }
    }

    #[test]
    fn the_list_names_lines_and_one_sided_conditions() {
        let files = [file("crates/core/src/flow/a.rs"), file("crates/core/src/lease.rs")];
        assert_eq!(
            uncovered(&files, "flow"),
            "crates/core/src/flow/a.rs: 2-3\ncrates/core/src/flow/a.rs:1:4: never false\n"
        );
    }

    #[test]
    fn a_room_is_a_folder_or_a_file() {
        let sources = ["crates/core/src"];
        assert_eq!(room("crates/core/src/flow/guard/a.rs", &sources), "crates/core/src/flow");
        assert_eq!(room("crates/core/src/flow.rs", &sources), "crates/core/src/flow");
        let table = rooms(&[file("crates/core/src/flow/a.rs"), file("crates/core/src/flow.rs")], &sources);
        assert!(
            table.contains("crates/core/src/flow          4/8       50.0 %        6/12      50.0 %"),
            "{table}"
        );
    }
}
