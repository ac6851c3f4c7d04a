//! The licences of what ships.

use std::collections::BTreeMap;

use spdx::{Expression, ParseMode};

use super::{Artefact, Linked};

/// Licences that ask for no more than a notice.
const ALLOWED: [&str; 13] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    // The list of certificate authorities, which is data.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// The licences with the number of crates that have each, the most frequent first.
pub(super) fn summary(crates: &[Linked]) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for one in crates {
        *counts.entry(normal(&one.licence)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let parts: Vec<String> =
        counts.into_iter().map(|(licence, count)| format!("{licence}: {count}")).collect();
    parts.join("; ")
}

/// One spelling of the same choice.
fn normal(licence: &str) -> String {
    match licence {
        "Apache-2.0 OR MIT" | "MIT/Apache-2.0" | "Apache-2.0 / MIT" => "MIT OR Apache-2.0".to_owned(),
        other => other.to_owned(),
    }
}

/// The crates whose licence is missing, is no SPDX expression, or asks for more than a notice.
pub(super) fn problems(artefact: &Artefact, crates: &[Linked]) -> Vec<String> {
    let problem = |one: &Linked| {
        let what = reason(&one.licence)?;
        Some(format!("{} {} in {}: {what}", one.name, one.version, artefact.name))
    };
    crates.iter().filter_map(problem).collect()
}

/// Why a licence is not allowed; `None` if it is.
fn reason(licence: &str) -> Option<String> {
    // Old crates separate alternatives by a slash.
    let Ok(expression) = Expression::parse_mode(licence, ParseMode::LAX) else {
        return Some(format!("{licence:?} is no licence expression (SPDX)"));
    };
    // An exception permits more than the licence alone.
    let is_allowed =
        expression.evaluate(|term| term.license.id().is_some_and(|id| ALLOWED.contains(&id.name)));
    (!is_allowed)
        .then(|| format!("the licence {licence:?} is not in the list in xtask/src/supply_chain/licences.rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_needs_one_allowed_licence_and_a_conjunction_all() {
        for allowed in [
            "MIT",
            "MIT/Apache-2.0",
            "Apache-2.0 / MIT",
            "GPL-3.0-only OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(reason(allowed), None, "{allowed}");
        }
        for refused in
            ["", "GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "Somebody's own", "LGPL-2.1-or-later"]
        {
            assert!(reason(refused).is_some(), "{refused}");
        }
    }
}
