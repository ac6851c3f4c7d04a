//! Reads the JSON export of llvm-cov: for each file the segments of its lines, and its branches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// A file, with how often each of its lines and branches ran.
#[derive(Debug, Default)]
pub(super) struct File {
    /// The path from the project's root, with `/`.
    pub(super) name: String,
    /// The lines with code.
    pub(super) lines: BTreeMap<u64, u64>,
    /// The conditions by line and column, and how often each was true and false.
    pub(super) branches: BTreeMap<(u64, u64), [u64; 2]>,
}

/// How many there are, and how many ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) all: usize,
    pub(super) ran: usize,
}

impl Count {
    /// The share that ran, in percent.
    #[allow(clippy::cast_precision_loss, reason = "numbers of lines")]
    pub(super) fn percent(self) -> f64 {
        if self.all == 0 { 100.0 } else { 100.0 * self.ran as f64 / self.all as f64 }
    }

    fn of(ran: impl Iterator<Item = bool>) -> Count {
        ran.fold(Count::default(), |count, ran| Count {
            all: count.all + 1,
            ran: count.ran + usize::from(ran),
        })
    }

    fn plus(self, other: Count) -> Count {
        Count { all: self.all + other.all, ran: self.ran + other.ran }
    }
}

/// The lines and branches of one or more files. A condition is two branches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) lines: Count,
    pub(super) branches: Count,
}

impl Counts {
    pub(super) fn plus(self, other: Counts) -> Counts {
        Counts { lines: self.lines.plus(other.lines), branches: self.branches.plus(other.branches) }
    }
}

impl File {
    pub(super) fn counts(&self) -> Counts {
        Counts {
            lines: Count::of(self.lines.values().map(|count| *count > 0)),
            branches: Count::of(self.branches.values().flatten().map(|count| *count > 0)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// `[line, column, count, has a count, begins a region, is a gap]`.
type Segment = (u64, u64, u64, bool, bool, bool);

#[derive(Deserialize)]
struct Export {
    data: Vec<Data>,
}

#[derive(Deserialize)]
struct Data {
    files: Vec<Exported>,
}

#[derive(Deserialize)]
struct Exported {
    filename: String,
    segments: Vec<Segment>,
    /// `[line, column, line, column, true, false, …]`.
    #[serde(default)]
    branches: Vec<Vec<u64>>,
}

/// The files in the export that are in `root`.
pub(super) fn read(text: &str, root: &Path) -> Result<Vec<File>> {
    let export: Export = serde_json::from_str(text).context("cannot read llvm-cov's export")?;
    let mut files = Vec::new();
    for exported in export.data.into_iter().flat_map(|data| data.files) {
        let Ok(path) = Path::new(&exported.filename).strip_prefix(root) else { continue };
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
        let mut file = File { name: parts.join("/"), lines: lines(&exported.segments), ..File::default() };
        for branch in &exported.branches {
            let [line, column, _, _, taken, not_taken, ..] = branch.as_slice() else { continue };
            // A generic function has its branches once for each type.
            let counts = file.branches.entry((*line, *column)).or_default();
            *counts = [counts[0] + taken, counts[1] + not_taken];
        }
        files.push(file);
    }
    Ok(files)
}

/// The lines with code and their counts: of a line the largest count of a region that begins in it, or, if none does, that
/// of the region around it. This is how llvm-cov counts lines.
fn lines(segments: &[Segment]) -> BTreeMap<u64, u64> {
    let mut lines = BTreeMap::new();
    let Some((first, last)) = segments.first().zip(segments.last()) else { return lines };
    let mut rest = segments;
    let mut around: Option<Segment> = None;
    for line in first.0..=last.0 {
        let here = rest.iter().take_while(|segment| segment.0 == line).count();
        let (of_line, after) = rest.split_at(here);
        rest = after;
        let begun = of_line.iter().filter(|segment| segment.3 && segment.4 && !segment.5);
        let is_skipped = of_line.first().is_some_and(|segment| !segment.3 && segment.4);
        let outer = around.filter(|segment| segment.3);
        let largest = begun.map(|segment| segment.2).chain(outer.map(|segment| segment.2)).max();
        if let Some(count) = largest.filter(|_| !is_skipped) {
            lines.insert(line, count);
        }
        around = of_line.last().copied().or(around);
    }
    lines
}

/// Lines as ranges: `3-5, 8`.
pub(super) fn ranges(lines: &BTreeSet<u64>) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for line in lines {
        match ranges.last_mut() {
            Some((_, end)) if *end + 1 == *line => *end = *line,
            _ => ranges.push((*line, *line)),
        }
    }
    let texts =
        ranges.iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_largest_count_of_a_region_that_touches_it() {
        // fn f() {           1 to 7: 5 times
        //     if x {         a region of 0 from 2:8 to 4:6
        let segments = [
            (1, 1, 5, true, true, false),
            (2, 8, 0, true, true, false),
            (4, 6, 5, true, false, false),
            (7, 2, 0, false, false, false),
        ];
        let counts: Vec<_> = lines(&segments).into_iter().collect();
        assert_eq!(counts, [(1, 5), (2, 5), (3, 0), (4, 0), (5, 5), (6, 5), (7, 5)]);
    }

    #[test]
    fn the_branches_of_a_generic_function_are_counted_once() {
        let text = r#"{"data": [{"files": [
            {"filename": "/p/src/a.rs", "segments": [], "branches": [[3, 8, 3, 9, 2, 0, 0, 0, 4], [3, 8, 3, 9, 0, 0, 0, 0, 4]]},
            {"filename": "/elsewhere/b.rs", "segments": []}
        ]}]}"#;
        let files = read(text, Path::new("/p")).unwrap();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].name, "src/a.rs");
        assert_eq!(files[0].counts().branches, Count { all: 2, ran: 1 });
    }

    #[test]
    fn lines_are_shown_as_ranges() {
        assert_eq!(ranges(&BTreeSet::from([3, 4, 5, 8])), "3-5, 8");
        assert_eq!(ranges(&BTreeSet::new()), "");
    }
}
