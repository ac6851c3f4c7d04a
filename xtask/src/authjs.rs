//! `cargo xtask authjs`: plays generated stories of a browser with the built Worker and with Auth.js, and compares the
//! answers. The comparison is `tests/authjs`; this module builds the Worker and says how many stories to play.

use anyhow::Result;
use clap::Args;

use crate::build::{self, Effort};
use crate::project::Project;
use crate::step::run;
use crate::tools;

/// The options on the command line.
#[derive(Clone, Debug, PartialEq, Eq, Args)]
pub(crate) struct Options {
    /// How many stories to play on each site: next-auth 5 and 4, each on https and on http
    #[arg(long, value_name = "N", default_value_t = 2000)]
    cases: u64,
    /// The random seed: the same one gives the same stories
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only this site: `authjs-v5 https`, `authjs-v5 http`, `next-auth-v4 https` or `next-auth-v4 http`
    #[arg(long, value_name = "NAME")]
    site: Option<String>,
    /// Play the story of this number only: it repeats a difference
    #[arg(long, value_name = "N", requires = "site", conflicts_with = "cases")]
    story: Option<u64>,
    /// Show what this reason explains, as if it were none: the beginning of its title in docs/authjs-differences.md
    #[arg(long, value_name = "TITLE")]
    without: Vec<String>,
}

/// Plays the stories. Fails if an answer differs without a reason.
pub(crate) fn authjs(project: &Project, options: &Options) -> Result<()> {
    tools::ensure_npm(project)?;
    build::build(project, Effort::Optimized)?;
    let mut command = project.cargo();
    command.args(["test", "--quiet", "--test", "authjs", "generated_stories", "--", "--nocapture"]);
    for (variable, value) in variables(options) {
        command.env(variable, value);
    }
    run(&mut command)
}

/// The variables that the test reads.
fn variables(options: &Options) -> Vec<(&'static str, String)> {
    let mut variables =
        vec![("AUTHJS_STORIES", options.cases.to_string()), ("AUTHJS_SEED", options.seed.to_string())];
    variables.extend(options.story.map(|story| ("AUTHJS_STORY", story.to_string())));
    variables.extend((!options.without.is_empty()).then(|| ("AUTHJS_WITHOUT", options.without.join("\n"))));
    variables.extend(options.site.clone().map(|site| ("AUTHJS_SITE", site)));
    variables
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::read;

    #[test]
    fn a_story_belongs_to_a_site() {
        let options =
            read::<Options>(&["--site", "authjs-v5 https", "--seed", "7", "--story", "12"]).unwrap();
        let written = variables(&options);
        for pair in [("AUTHJS_SITE", "authjs-v5 https"), ("AUTHJS_SEED", "7"), ("AUTHJS_STORY", "12")] {
            assert!(written.contains(&(pair.0, pair.1.to_owned())), "{written:?}");
        }
        assert!(read::<Options>(&["--story", "12"]).is_err());
        let options = read::<Options>(&["--without", "HEAD", "--without", "A session"]).unwrap();
        assert!(variables(&options).contains(&("AUTHJS_WITHOUT", "HEAD\nA session".to_owned())));
    }
}
