//! The file that keeps revocations across a restart.
//!
//! Each line is one record of a lock, as JSON; the last line of a name counts. A line is on the disk before anyone learns that
//! the session is revoked. A thread of its own writes: lines that arrive while it writes are written together. When the file
//! has doubled, it is written anew beside the old one, without what is out of date, and replaces it.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};

use serde_json::{Value, json};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::{clock, log};
use vestibule_core::platform::StoreError;
use vestibule_core::time::Timestamp;

/// A file that is smaller, in bytes, is not written anew while the process runs.
const MIN_COMPACTED: u64 = 1024 * 1024;

/// A record of a lock, and when it expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) record: String,
    pub(crate) until: Timestamp,
}

/// The thread that writes.
pub(crate) struct Journal(Sender<Append>);

/// A line to be written, and who waits for it.
type Append = (Entry, oneshot::Sender<Result<(), String>>);

/// What to do where the file cannot be made or written.
fn fix(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; make its folder, or name another file",
        io::ErrorKind::PermissionDenied => {
            "; let the server's user write into its folder, or name another file"
        }
        _ => "",
    }
}

/// Why the file cannot be used.
#[derive(Debug, Error)]
pub(crate) enum JournalError {
    #[error("the file of revocations {} cannot be used: {}{}", .0.display(), .1, fix(.1))]
    File(PathBuf, io::Error),
    #[error("the file of revocations {} is no ordinary file; name one, or a path where none is yet", .0.display())]
    NotAFile(PathBuf),
    #[error("the file of revocations {} is used by another process; only one may use it, and several need Redis", .0.display())]
    InUse(PathBuf),
    #[error("line {line} of the file of revocations {} is not one of this server's: the file was changed", .0.display(), line = .1)]
    Line(PathBuf, usize),
}

impl Journal {
    /// Opens the file, or makes it, and reads what still counts.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<Entry>), JournalError> {
        let failed = |error| JournalError::File(path.to_owned(), error);
        if fs::metadata(path).is_ok_and(|at| !at.is_file()) {
            return Err(JournalError::NotAFile(path.to_owned()));
        }
        let mut file = open(path).map_err(failed)?;
        // It is replaced when it is written anew: where a link leads to, and not the link.
        let path = &fs::canonicalize(path).map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::InUse(path.clone()),
            TryLockError::Error(error) => failed(error),
        })?;
        // Another process may have replaced it between the two calls.
        if !is_at(&file, path).map_err(failed)? {
            return Err(JournalError::InUse(path.clone()));
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let lines = entries(&bytes).map_err(|line| JournalError::Line(path.clone(), line))?;
        let mut written = Written::new(path.clone(), file, &bytes, lines);
        match written.compact() {
            Ok(()) => {}
            // The old file is whole: who is signed out stays so, and the site is there.
            Err(error) if is_full(&error) => log::say(NotAnew(&error)),
            Err(error) => return Err(failed(error)),
        }
        let entries = written.lines.values().cloned().collect();
        let (sender, receiver) = mpsc::channel();
        std::thread::Builder::new()
            .name("revocations".to_owned())
            .spawn(move || write_all(&receiver, &mut written))
            .map_err(failed)?;
        Ok((Self(sender), entries))
    }

    /// Appends a line. The future is done when it is on the disk. Calls are written in their order.
    pub(crate) fn append(&self, entry: Entry) -> impl Future<Output = Result<(), StoreError>> + use<> {
        let (done, written) = oneshot::channel();
        let is_sent = self.0.send((entry, done)).is_ok();
        async move {
            let failed = |error| StoreError::Failed(format!("the file of revocations: {error}"));
            if !is_sent {
                return Err(failed("its thread has ended".to_owned()));
            }
            written.await.unwrap_or_else(|_| Err("its thread has ended".to_owned())).map_err(failed)
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Whether there is no room for what was to be written.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// What is said where the file could not be written anew, which is no failure of what was written.
#[derive(Debug, Error)]
#[error("the file of revocations could not be written anew: {0}")]
struct NotAnew<'a>(&'a io::Error);

/// How many bytes of a file are whole lines. A line without its end was being written when the process ended: no one was told
/// that it counts.
fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1)
}

/// Whether the file is still the one at this path.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let [own, named] = [file.metadata()?, fs::metadata(path)?];
    Ok((own.dev(), own.ino()) == (named.dev(), named.ino()))
}

/// The file, and what counts of it.
struct Written {
    path: PathBuf,
    file: File,
    /// How long it is, as far as it is whole.
    size: u64,
    /// Whether there may be more in it, of a write that failed.
    is_cut_off: bool,
    /// The length at which it is written anew.
    compact_at: u64,
    lines: BTreeMap<String, Entry>,
}

/// Writes what arrives until no one can send any more.
fn write_all(receiver: &Receiver<Append>, written: &mut Written) {
    while let Ok(first) = receiver.recv() {
        let batch: Vec<Append> = std::iter::once(first).chain(receiver.try_iter()).collect();
        let (entries, waiting): (Vec<Entry>, Vec<_>) = batch.into_iter().unzip();
        let result = written.append(&entries).map_err(|error| error.to_string());
        for done in waiting {
            done.send(result.clone()).ok();
        }
    }
}

impl Written {
    fn new(path: PathBuf, file: File, bytes: &[u8], lines: BTreeMap<String, Entry>) -> Self {
        let size = whole(bytes);
        let is_cut_off = size < bytes.len();
        Self { path, file, size: size as u64, is_cut_off, compact_at: MIN_COMPACTED, lines }
    }

    fn append(&mut self, entries: &[Entry]) -> io::Result<()> {
        let text: String = entries.iter().map(line).collect();
        // What a failed write has left behind, as on a full disk, must not become a part of the next line.
        if self.is_cut_off {
            self.file.set_len(self.size)?;
        }
        self.is_cut_off = true;
        self.file.write_all(text.as_bytes())?;
        self.file.sync_data()?;
        self.is_cut_off = false;
        self.size += text.len() as u64;
        self.lines.extend(entries.iter().map(|entry| (entry.name.clone(), entry.clone())));
        if self.size > self.compact_at
            && let Err(error) = self.compact()
        {
            log::say(NotAnew(&error));
            self.compact_at = self.size + MIN_COMPACTED;
        }
        Ok(())
    }

    /// Writes the file anew, without what is out of date.
    fn compact(&mut self) -> io::Result<()> {
        let now = clock::now();
        self.lines.retain(|_, entry| now < entry.until);
        let text: String = self.lines.values().map(line).collect();
        // With its whole name in front: two files of one folder must not share it.
        let beside = self.path.with_added_extension("new");
        fs::remove_file(&beside).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })?;
        let mut file = open(&beside)?;
        file.try_lock()?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        (self.file, self.size, self.is_cut_off) = (file, text.len() as u64, false);
        self.compact_at = (2 * self.size).max(MIN_COMPACTED);
        Ok(())
    }
}

/// What the bytes of a file say, by name. The error is the number of the first line that is none of this server's.
pub(crate) fn entries(bytes: &[u8]) -> Result<BTreeMap<String, Entry>, usize> {
    let mut entries = BTreeMap::new();
    let text = bytes.get(..whole(bytes)).unwrap_or_default().split(|byte| *byte == b'\n');
    for (n, line) in text.enumerate().filter(|(_, line)| !line.is_empty()) {
        let entry = read(line).ok_or(n + 1)?;
        entries.insert(entry.name.clone(), entry);
    }
    Ok(entries)
}

/// The line of an entry.
pub(crate) fn line(entry: &Entry) -> String {
    let Entry { name, record, until } = entry;
    format!("{}\n", json!({ "name": name, "record": record, "until": until.millis() }))
}

fn read(line: &[u8]) -> Option<Entry> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
    let until = Timestamp::from_millis(line.get("until")?.as_u64()?);
    Some(Entry { name: text("name")?, record: text("record")?, until })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(name: &str, record: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            record: record.to_owned(),
            until: clock::now().plus(Duration::from_mins(1)),
        }
    }

    fn append(journal: &Journal, entry: Entry) -> Result<(), StoreError> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(journal.append(entry))
    }

    /// Opens the file again once the thread of `journal` has ended.
    fn reopened(journal: Journal, path: &Path) -> (Journal, Vec<Entry>) {
        drop(journal);
        loop {
            match Journal::open(path) {
                Err(JournalError::InUse(_)) => std::thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    #[test]
    fn what_was_written_is_there_after_a_restart_and_the_last_line_of_a_name_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations");
        let (journal, entries) = Journal::open(&path).unwrap();
        assert!(entries.is_empty());
        let (a, b) = (entry("a", "2"), entry("b", "x\ny"));
        for entry in [entry("a", "1"), b.clone(), a.clone()] {
            append(&journal, entry).unwrap();
        }
        append(&journal, Entry { until: Timestamp::from_millis(1), ..entry("old", "1") }).unwrap();
        let (_, entries) = reopened(journal, &path);
        assert_eq!(entries, [a, b]);
    }

    #[test]
    fn a_line_that_a_crash_cut_off_is_left_out_and_any_other_damage_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations");
        let kept = line(&entry("a", "1"));
        fs::write(&path, format!("{kept}{{\"name\":\"b\"")).unwrap();
        let (journal, entries) = Journal::open(&path).unwrap();
        assert_eq!(entries.len(), 1);
        append(&journal, entry("c", "1")).unwrap();
        assert_eq!(reopened(journal, &path).1.len(), 2);
        let path = folder.path().join("changed");
        fs::write(&path, format!("garbage\n{kept}")).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::Line(_, 1))));
    }

    #[test]
    fn a_file_that_was_replaced_is_not_the_one_at_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations");
        let file = super::open(&path).unwrap();
        assert!(is_at(&file, &path).unwrap());
        fs::rename(&path, folder.path().join("old")).unwrap();
        fs::write(&path, "").unwrap();
        assert!(!is_at(&file, &path).unwrap());
    }

    #[test]
    fn two_processes_cannot_use_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations");
        let _first = Journal::open(&path).unwrap();
        assert!(matches!(Journal::open(&path), Err(JournalError::InUse(_))));
    }

    #[test]
    fn the_file_stays_small_however_often_a_name_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations");
        let (journal, _) = Journal::open(&path).unwrap();
        let record = "x".repeat(128 * 1024);
        for _ in 0..32 {
            append(&journal, entry("a", &record)).unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * MIN_COMPACTED);
        append(&journal, entry("b", "1")).unwrap();
        assert_eq!(reopened(journal, &path).1.len(), 2);
    }

    #[test]
    fn unbounded_growth_what_is_out_of_date_is_forgotten_also_where_no_name_comes_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("revocations");
        let (journal, _) = Journal::open(&path).unwrap();
        let record = "x".repeat(128 * 1024);
        for n in 0..32 {
            let old = Entry { until: Timestamp::from_millis(1), ..entry(&n.to_string(), &record) };
            append(&journal, old).unwrap();
        }
        assert!(fs::metadata(&path).unwrap().len() < 2 * MIN_COMPACTED);
        append(&journal, entry("b", "1")).unwrap();
        assert_eq!(reopened(journal, &path).1.len(), 1);
    }

    #[test]
    fn two_files_of_one_folder_are_written_anew_apart() {
        let folder = tempfile::tempdir().unwrap();
        let [a, b] = ["revocations.a", "revocations.new"].map(|name| folder.path().join(name));
        let [first, second] = [&a, &b].map(|path| Journal::open(path).unwrap().0);
        let record = "x".repeat(usize::try_from(MIN_COMPACTED).unwrap());
        for _ in 0..2 {
            append(&first, entry("a", &record)).unwrap();
            append(&second, entry("b", &record)).unwrap();
        }
        let name = |entries: Vec<Entry>| entries.into_iter().map(|entry| entry.name).collect::<Vec<_>>();
        assert_eq!(name(reopened(first, &a).1), ["a"]);
        assert_eq!(name(reopened(second, &b).1), ["b"]);
    }

    #[test]
    fn what_is_no_ordinary_file_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, link, path] = ["socket", "link", "revocations"].map(|name| folder.path().join(name));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        for path in [&socket, folder.path()] {
            assert!(matches!(Journal::open(path), Err(JournalError::NotAFile(_))));
        }
        assert!(!fs::metadata(&socket).unwrap().is_file());
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let (journal, _) = Journal::open(&link).unwrap();
        append(&journal, entry("b", "1")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(reopened(journal, &path).1.len(), 1);
    }
}
