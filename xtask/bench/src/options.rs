//! The options of a measurement, from the command line.

use std::path::PathBuf;
use std::time::Duration;

use xtask_arguments::bench::Arguments;

/// How much is measured, and where the report is written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Options {
    /// Measure other runtimes than workerd.
    pub(crate) runtime: bool,
    /// The number of rounds. Each starts every case again.
    pub(crate) rounds: usize,
    /// How long each case receives requests before the measurement, until V8 has compiled the hot code.
    pub(crate) warm_up: Duration,
    /// How long each case is measured in a round.
    pub(crate) measured: Duration,
    /// Measure only the cases whose names start with one of these texts; all if there is none.
    pub(crate) only: Vec<String>,
    /// A folder with another build of the Worker, to compare with.
    pub(crate) against: Option<PathBuf>,
    /// Measure only the time from the start to the first response.
    pub(crate) starts: bool,
    /// Measure only how costs grow, and how long requests wait.
    pub(crate) curves: bool,
    /// Measure only memory, over many requests.
    pub(crate) soak: bool,
    /// Write the report into docs/.
    pub(crate) write: bool,
}

impl From<Arguments> for Options {
    fn from(arguments: Arguments) -> Self {
        let Arguments { runtime, rounds, quick, only, against, starts, curves, soak, write } = arguments;
        let millis = |quick_value, value| Duration::from_millis(if quick { quick_value } else { value });
        Self {
            runtime,
            rounds: if quick { 1 } else { rounds.get() },
            // Only V8 compiles while it runs. The curves have many cases, and compare each with its neighbours only.
            warm_up: match (runtime, curves) {
                (true, _) => millis(200, 300),
                (false, true) => millis(300, 600),
                (false, false) => millis(800, 1200),
            },
            measured: if curves { millis(600, 1200) } else { millis(800, 2000) },
            only,
            against,
            starts,
            curves,
            soak,
            write,
        }
    }
}

impl Options {
    /// Whether the case with this name is to be measured.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| name.starts_with(only.as_str()))
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
    fn options_are_read_and_a_misspelt_one_is_rejected() {
        let options = parse(&["--quick", "--only", "guard", "--write"]).unwrap();
        assert_eq!((options.rounds, options.write), (1, true));
        assert!(options.wants("guard-many") && !options.wants("session"));
        let options = parse(&["--only", "guard,public"]).unwrap();
        assert!(options.wants("guard") && options.wants("public") && !options.wants("session"));
        assert!(parse(&[]).unwrap().wants("session"));
        let curves = parse(&["--curves"]).unwrap();
        assert!(curves.curves && curves.measured < parse(&[]).unwrap().measured);
        let options = parse(&["--runtime", "--rounds", "3"]).unwrap();
        assert!(options.runtime && options.rounds == 3 && options.measured > options.warm_up);
        for wrong in
            [&["--only"][..], &["--rounds", "0"], &["--quick", "--rounds", "2"], &["--soack"], &["guard"]]
        {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
