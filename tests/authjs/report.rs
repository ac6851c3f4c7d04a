//! Groups the differences by the entry that explains them, fails the test if there are unexplained ones, and writes the
//! document.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use crate::deliberate::{DELIBERATE, reason};
use crate::replay::Difference;

/// All differences.
#[derive(Default)]
pub struct Report {
    pub cases: usize,
    pub exchanges: usize,
    /// The dialects and cases, by the title of the entry.
    explained: BTreeMap<&'static str, BTreeSet<(&'static str, String)>>,
    unexplained: Vec<String>,
}

impl Report {
    pub fn add(&mut self, difference: &Difference<'_>) {
        let entry = reason(difference);
        let dialect = difference.site.dialect_name();
        if let Some(entry) = entry {
            self.explained.entry(entry.title).or_default().insert((dialect, difference.case.name.clone()));
            return;
        }
        self.unexplained.push(format!(
            "{dialect}: {}\n    {} {}\n    {}\n      Auth.js:   {}\n      Vestibule: {}",
            difference.case.name,
            difference.sent.method,
            difference.sent.url,
            difference.aspect,
            difference.authjs.unwrap_or("(none)"),
            difference.vestibule.unwrap_or("(none)"),
        ));
    }

    /// Fails if a difference is not explained, if an entry explains none, or if the document is out of date.
    pub fn finish(&self, document: &Path) {
        println!("{} cases, {} requests to each side", self.cases, self.exchanges);
        assert!(
            self.unexplained.is_empty(),
            "{} differences are not explained in deliberate.rs:\n{}",
            self.unexplained.len(),
            self.unexplained.join("\n")
        );
        let unused: Vec<&str> = DELIBERATE
            .iter()
            .map(|entry| entry.title)
            .filter(|title| !self.explained.contains_key(title))
            .collect();
        assert!(unused.is_empty(), "these entries explain no difference: {unused:?}");
        let text = self.document();
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::create_dir_all(document.parent().expect("a folder")).expect("the folder can be made");
            fs::write(document, text).expect("the document can be written");
            return;
        }
        assert!(
            fs::read_to_string(document).is_ok_and(|written| written == text),
            "{} is out of date: run this test with UPDATE_DOCS=1",
            document.display()
        );
    }

    fn document(&self) -> String {
        let mut text = format!(
            "# Where Vestibule's answers differ from Auth.js's\n\n\
             Written by `tests/authjs`, do not edit. The test plays {} cases, {} requests, against the built Worker and\n\
             against Auth.js's own code (`@auth/core` 0.41.3, which is next-auth 5's; `next-auth` 4.24.15). It compares\n\
             status, headers, cookies with their attributes, opened sessions and bodies. These are all differences: an\n\
             answer that differs in any other way fails the test.\n\n\
             The reasons hold for requests that nobody wrote, too: `cargo xtask authjs` plays stories of a browser that are\n\
             generated from a seed, with odd cookies, bodies, paths and answers of the provider; CI plays some of them.\n\
             And the client of next-auth makes the same calls with both sides. The lists below are of the written cases.\n",
            self.cases, self.exchanges
        );
        for entry in DELIBERATE {
            let _ = write!(text, "\n## {}\n\n{}\n", entry.title, entry.reason);
            for dialect in ["authjs-v5", "next-auth-v4"] {
                let cases: Vec<String> = self.explained[entry.title]
                    .iter()
                    .filter(|(of, _)| *of == dialect)
                    .map(|(_, case)| format!("`{}`", case.replace('`', "'")))
                    .collect();
                if !cases.is_empty() {
                    let _ = write!(
                        text,
                        "\n<details><summary>{dialect}: {}</summary>\n\n{}\n\n</details>\n",
                        cases.len(),
                        cases.join(", ")
                    );
                }
            }
        }
        text
    }
}
