//! The bucket of a host: what it remembers, and how old the answers are that it gives.

use std::collections::BTreeMap;

use super::instance::{Answer, LOCK, Operation};

/// What a host promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Host {
    /// All instances see all operations in one order.
    OneOrder,
    /// `increment` is atomic. A read may be so old, in milliseconds.
    StaleReads(u64),
    /// `increment` adds to a value that may be as old as a read's.
    StaleIncrements(u64),
}

impl Host {
    pub(super) fn title(self) -> String {
        match self {
            Self::OneOrder => "one order".to_owned(),
            Self::StaleReads(behind) => format!("reads up to {} s old", behind / 1000),
            Self::StaleIncrements(behind) => format!("reads and increments up to {} s old", behind / 1000),
        }
    }

    fn reads_behind(self) -> u64 {
        match self {
            Self::OneOrder => 0,
            Self::StaleReads(behind) | Self::StaleIncrements(behind) => behind,
        }
    }

    fn increments_behind(self) -> u64 {
        match self {
            Self::OneOrder | Self::StaleReads(_) => 0,
            Self::StaleIncrements(behind) => behind,
        }
    }
}

/// A value of a key, and since when it has it.
type Version = (u64, Option<Vec<u8>>);

/// The values of each key, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Values(BTreeMap<String, Vec<Version>>);

impl Values {
    /// The newest value of a key.
    pub(super) fn newest(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key)?.last()?.1.as_deref()
    }

    /// The number of the lock's newest record.
    pub(super) fn round(&self) -> u64 {
        self.newest(&record_key()).map_or(0, round_of)
    }

    /// The values that a read may see which may be so old, the newest first.
    fn visible(&self, key: &str, now: u64, behind: u64) -> Vec<Option<Vec<u8>>> {
        let versions = self.0.get(key).map(Vec::as_slice).unwrap_or_default();
        let mut found = Vec::new();
        let mut until = u64::MAX;
        for (since, value) in versions.iter().rev() {
            let is_newest = until == u64::MAX;
            if !is_newest && (behind == 0 || until + behind < now) {
                return found;
            }
            found.push(value.clone());
            until = *since;
        }
        if versions.is_empty() || (behind > 0 && until + behind >= now) {
            found.push(None);
        }
        found
    }

    /// In how many ways an operation can be answered.
    pub(super) fn ways(&self, operation: &Operation, host: Host, now: u64) -> usize {
        match operation {
            Operation::Get(key) => self.visible(key, now, host.reads_behind()).len(),
            Operation::Increment(key, _) => self.visible(key, now, host.increments_behind()).len(),
            Operation::Set(..) | Operation::Delete(_) | Operation::Sleep => 1,
        }
    }

    /// An operation takes effect, in one of its ways.
    pub(super) fn perform(&mut self, operation: &Operation, way: usize, host: Host, now: u64) -> Answer {
        match operation {
            Operation::Get(key) => {
                Answer::Value(self.visible(key, now, host.reads_behind()).swap_remove(way))
            }
            Operation::Set(key, value) => self.put(key, Some(value.clone()), now),
            Operation::Delete(key) => self.put(key, None, now),
            Operation::Increment(key, delta) => {
                let value = self.visible(key, now, host.increments_behind()).swap_remove(way);
                let number = value.and_then(|value| String::from_utf8(value).ok()?.parse::<u64>().ok());
                let sum = number.unwrap_or(0) + delta;
                self.put(key, Some(sum.to_string().into_bytes()), now);
                Answer::Sum(sum)
            }
            Operation::Sleep => Answer::Done,
        }
    }

    fn put(&mut self, key: &str, value: Option<Vec<u8>>, now: u64) -> Answer {
        self.0.entry(key.to_owned()).or_default().push((now, value));
        Answer::Done
    }

    /// Forgets what no read can see any more.
    pub(super) fn forget(&mut self, host: Host, now: u64) {
        for versions in self.0.values_mut() {
            let behind = host.reads_behind();
            while let [_, (replaced, _), ..] = versions.as_slice()
                && (behind == 0 || replaced + behind < now)
            {
                versions.remove(0);
            }
            // When a value was written is of no account once the one before it cannot be seen.
            if let [(since, _)] = versions.as_mut_slice()
                && (behind == 0 || *since + behind < now)
            {
                *since = 0;
            }
        }
    }
}

/// Where the lock's record is.
pub(super) fn record_key() -> String {
    format!("vestibule:lock:{LOCK}")
}

/// The number of a record.
pub(super) fn round_of(record: &[u8]) -> u64 {
    let record: serde_json::Value = serde_json::from_slice(record).expect("a record");
    record["round"].as_u64().expect("the number of a record")
}
