//! What is measured, from what was asked for on the command line.

use std::time::Duration;

use xtask_arguments::bench::Arguments;

/// How much is measured, and what is done with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// How often each case is started anew.
    pub(crate) rounds: usize,
    /// How long each is asked before anything counts: until V8 has compiled what is hot.
    pub(crate) warm_up: Duration,
    /// How long it is counted.
    pub(crate) counted: Duration,
    /// Only cases whose name begins so.
    pub(crate) only: Option<String>,
    /// Memory over many requests, and nothing else.
    pub(crate) soak: bool,
    /// Keep the report in docs/.
    pub(crate) write: bool,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        let Arguments { quick, only, soak, write } = arguments;
        let millis = |quickly, usually| Duration::from_millis(if quick { quickly } else { usually });
        Self {
            rounds: if quick { 1 } else { 5 },
            warm_up: millis(800, 1200),
            counted: millis(800, 2000),
            only,
            soak,
            write,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
        let words = std::iter::once(&"bench").chain(arguments);
        Arguments::try_parse_from(words).map(Options::from)
    }

    #[test]
    fn options_are_read_and_a_misspelt_one_is_refused() {
        let options = parse(&["--quick", "--only", "guard", "--write"]).unwrap();
        assert_eq!((options.rounds, options.only.as_deref(), options.write), (1, Some("guard"), true));
        for wrong in [&["--only"][..], &["--soack"], &["guard"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
