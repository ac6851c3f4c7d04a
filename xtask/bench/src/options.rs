//! What was asked for on the command line.

use std::time::Duration;

use anyhow::{Context, Result, bail};

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

impl Options {
    /// Reads `[--quick] [--only CASE] [--soak] [--write]`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            rounds: 5,
            warm_up: Duration::from_millis(1200),
            counted: Duration::from_secs(2),
            only: None,
            soak: false,
            write: false,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--quick" => {
                    options.rounds = 1;
                    options.warm_up = Duration::from_millis(800);
                    options.counted = Duration::from_millis(800);
                }
                "--only" => {
                    options.only =
                        Some(arguments.next().context("`--only` needs the name of a case")?.clone());
                }
                "--soak" => options.soak = true,
                "--write" => options.write = true,
                other => bail!("`cargo xtask bench` knows no `{other}`"),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Options> {
        Options::parse(&arguments.iter().map(|&argument| argument.to_owned()).collect::<Vec<_>>())
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
