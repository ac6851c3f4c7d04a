//! Checks the names of parameters and algorithms.

use crate::config::place::refuse;
use crate::config::table::Text;
use vestibule_oidc::jose::jws::Algorithm;

/// Checks that the key of a text can be the name of a parameter.
pub(super) fn check_parameter(text: &Text<'_>) {
    if !is_parameter(text.name()) {
        refuse!(text, "the name of a parameter cannot be empty or have white space");
    }
}

/// Checks that a text can be the name of a parameter, and differs from `others`.
pub(super) fn check_own_parameter(text: &Text<'_>, others: &[&str]) {
    if !is_parameter(text.text) || others.contains(&text.text) {
        refuse!(
            text,
            "{text} cannot be the name of this parameter: it has white space, or another parameter has it"
        );
    }
}

/// Whether a text can be the name of a parameter.
pub(super) fn is_parameter(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace())
}

/// The algorithm of this name. An unknown name is noted as a mistake, with the allowed ones: `others`, then all algorithms.
pub(super) fn algorithm(name: &Text<'_>, others: &[&str]) -> Option<Algorithm> {
    let algorithm = Algorithm::from_name(name.text);
    if algorithm.is_none() {
        let mut known = others.to_vec();
        for algorithm in Algorithm::ALL {
            known.push(algorithm.name());
        }
        name.refuse_unknown(&known);
    }
    algorithm
}
