//! docs/conformance.md and the table on the terminal, both of the table of plans.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::plans::PLANS;
use crate::repository::root;
use crate::table::{Plan, Why, result_of};

const DOCUMENT: &str = "docs/conformance.md";
const BEGIN: &str = "<!-- conformance: begin -->";
const END: &str = "<!-- conformance: end -->";

#[test]
fn the_document_has_every_module() {
    let path = root().join(DOCUMENT);
    let document = std::fs::read_to_string(&path).expect(DOCUMENT);
    let (before, rest) = document.split_once(BEGIN).expect(BEGIN);
    let (_, after) = rest.split_once(END).expect(END);
    let written = format!("{before}{BEGIN}\n\n{}\n{END}{after}", markdown());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, written).expect(DOCUMENT);
        return;
    }
    assert!(document == written, "{DOCUMENT} is not what the table says: run `cargo xtask conformance`");
}

#[test]
fn a_plan_and_a_module_of_it_are_listed_once() {
    let mut plans = BTreeSet::new();
    for plan in PLANS {
        assert!(plans.insert((plan.name, plan.about)), "{} twice", plan.name);
        let mut modules = BTreeSet::new();
        let tested = plan.tested.iter().map(|module| module.name);
        for name in tested.chain(plan.untested.iter().map(|module| module.name)) {
            assert!(modules.insert(name), "{}: {name} twice", plan.name);
        }
        assert!(!modules.is_empty(), "{} has no module", plan.name);
    }
}

/// The results that `cargo xtask conformance` has collected, as a table.
#[test]
#[ignore = "it prints, and checks nothing: `cargo xtask conformance` runs it after the others"]
fn table() {
    for plan in PLANS {
        println!("\n{}{}", plan.name, in_brackets(plan));
        for module in plan.tested {
            let result = result_of(plan, module.name).and_then(|path| std::fs::read_to_string(path).ok());
            println!("  {:<7}  {}", result.as_deref().unwrap_or("not run"), module.name);
        }
        for module in plan.untested {
            let result = match module.why {
                Why::Outside(_) => "outside",
                Why::NotBuilt(_) => "MISSING",
            };
            println!("  {result:<7}  {}", module.name);
        }
    }
    println!("\n{}", counted());
}

fn in_brackets(plan: &Plan) -> String {
    if plan.about.is_empty() { String::new() } else { format!(" ({})", plan.about) }
}

/// How many modules there are of each kind.
fn counted() -> String {
    let tested: usize = PLANS.iter().map(|plan| plan.tested.len()).sum();
    let untested = || PLANS.iter().flat_map(|plan| plan.untested);
    let outside = untested().filter(|module| matches!(module.why, Why::Outside(_))).count();
    let others = untested().count() - outside;
    let missing = if others == 0 { String::new() } else { format!(", {others} not built yet") };
    format!("{} plans: {tested} modules tested, {outside} outside{missing}", PLANS.len())
}

fn markdown() -> String {
    let mut text = format!("{}.\n", counted());
    for plan in PLANS {
        write!(text, "\n### {}\n\n", plan.name).unwrap();
        if !plan.about.is_empty() {
            write!(text, "{}.\n\n", upper_first(plan.about)).unwrap();
        }
        text.push_str(
            "| module | the provider | what is expected of the Worker | result |\n|---|---|---|---|\n",
        );
        for module in plan.tested {
            writeln!(text, "| {} | {} | {} | passed |", module.name, module.provider, module.expected)
                .unwrap();
        }
        for module in plan.untested {
            let result = match module.why {
                Why::Outside(reason) => format!("outside: {reason}"),
                Why::NotBuilt(reason) => format!("not built: {reason}"),
            };
            writeln!(text, "| {} | | | {result} |", module.name).unwrap();
        }
    }
    text
}

fn upper_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
