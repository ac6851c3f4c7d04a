//! How many files the process may have open. Each connection is one, of a client and to an upstream. A process that has no more
//! can neither accept a connection nor reach an upstream, a provider or Redis for those that it has.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// What is open besides connections of clients and of upstreams: listeners, the log, threads' own, Redis, providers.
const OTHERS: u64 = 128;

/// How many connections of clients may be open of those that are wanted, each with one to an upstream. Raises the limit of the
/// process as far as that needs, and as the system lets it.
pub(crate) fn connections(wanted: usize) -> usize {
    let needed = files_of(u64::try_from(wanted).unwrap_or(u64::MAX));
    let Ok((mut allowed, maximum)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    if allowed < needed {
        let raised = maximum.min(needed);
        if setrlimit(Resource::RLIMIT_NOFILE, raised, maximum).is_ok() {
            allowed = raised;
        }
    }
    wanted.min(usize::try_from(connections_of(allowed)).unwrap_or(usize::MAX))
}

/// How many files so many connections need.
const fn files_of(connections: u64) -> u64 {
    connections.saturating_mul(2).saturating_add(OTHERS)
}

/// How many connections so many files are enough for: one at least.
fn connections_of(files: u64) -> u64 {
    (files.saturating_sub(OTHERS) / 2).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_as_there_are_files_for() {
        for connections in [1, 2, 500, 10_000] {
            assert_eq!(connections_of(files_of(connections)), connections);
        }
        assert_eq!(connections_of(1024), 448);
        assert_eq!([0, OTHERS, OTHERS + 3].map(connections_of), [1, 1, 1]);
        assert_eq!(connections_of(u64::MAX), (u64::MAX - OTHERS) / 2);
    }
}
