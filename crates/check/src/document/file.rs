//! A file, and the places in it.

use std::fmt;

use serde::Deserialize;

/// A file, as it is: its name as messages show it, and its text.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The name that was given on the command line, or found beside it.
    pub name: String,
    /// Its content.
    pub text: String,
}

impl File {
    /// A file with this name and content.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }
}

/// A file with the beginnings of its lines, to find the places of bytes.
pub(super) struct Lines<'a> {
    file: &'a File,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(super) fn of(file: &'a File) -> Self {
        let behind = file.text.match_indices('\n').map(|(at, _)| at + 1);
        Self { file, starts: std::iter::once(0).chain(behind).collect() }
    }

    pub(super) fn text(&self) -> &'a str {
        &self.file.text
    }

    /// The place of a byte of the text.
    pub(super) fn at(&self, offset: usize) -> At {
        /// In bytes. Behind so many of one line, a column is a byte: to count the characters for each of many keys would take
        /// long.
        const MAX_COUNTED: usize = 16 * 1024;
        let offset = offset.min(self.file.text.len());
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or_default();
        let before = self.file.text.get(start..offset).unwrap_or_default();
        let column = if before.len() > MAX_COUNTED { before.len() } else { before.chars().count() };
        At { file: self.file.name.clone(), line, column: column + 1 }
    }
}

/// A place in a file. Lines and columns count from 1; a column is a character.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct At {
    /// The file's name.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column } = self;
        write!(f, "{file}:{line}:{column}")
    }
}

/// Why a text is neither TOML nor JSON.
#[derive(Clone, Debug)]
pub struct SyntaxError {
    /// Where.
    pub at: At,
    /// What is wrong there, in the parser's words.
    pub problem: String,
}
