//! The one table of plans and modules. The macro [`plan!`](crate::table::plan) makes of each row that is tested a test of
//! the module's name, and of all rows what `cargo xtask conformance` prints and writes.

use std::panic::{UnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;

use crate::plans::PLANS;

/// A test plan: the modules that are run together.
pub struct Plan {
    /// The official name.
    pub name: &'static str,
    /// Which of the plan's variants, or what the plan is about.
    pub about: &'static str,
    pub tested: &'static [Tested],
    pub untested: &'static [Untested],
}

/// A module with a test.
pub struct Tested {
    /// The official name.
    pub name: &'static str,
    /// What the provider does.
    pub provider: &'static str,
    /// What is expected of the Worker.
    pub expected: &'static str,
}

/// A module without a test.
pub struct Untested {
    /// The official name.
    pub name: &'static str,
    pub why: Why,
}

/// Why a module has no test.
pub enum Why {
    /// It is about something that a site of this kind does not do, for a reason.
    Outside(&'static str),
    /// The Worker cannot do it yet.
    #[allow(dead_code, reason = "there may be none")]
    NotBuilt(&'static str),
}

/// A plan, as `PLAN`, and the tests of its modules:
///
/// ```text
/// plan! {
///     "the plan's name", "its variant";
///     tested {
///         the_name_of_a_module "the-name-of-a-module": "what the provider does" => "what is expected", function;
///     }
///     untested {
///         "the-name-of-another": Outside("the reason"),
///     }
/// }
/// ```
macro_rules! plan {
    (
        $name:expr, $about:expr;
        tested { $($test:ident $module:literal: $provider:literal => $expected:literal, $scenario:expr;)* }
        untested { $($other:literal: $why:ident($reason:expr),)* }
    ) => {
        pub const PLAN: $crate::table::Plan = $crate::table::Plan {
            name: $name,
            about: $about,
            tested: &[
                $($crate::table::Tested { name: $module, provider: $provider, expected: $expected },)*
            ],
            untested: &[
                $($crate::table::Untested { name: $other, why: $crate::table::Why::$why($reason) },)*
            ],
        };

        $(
            #[test]
            fn $test() {
                $crate::table::run(&PLAN, $module, stringify!($test), $scenario);
            }
        )*
    };
}
pub(crate) use plan;

/// Runs the test of a module, and records how it ended.
pub fn run(plan: &Plan, module: &str, test: &str, scenario: impl FnOnce() + UnwindSafe) {
    assert_eq!(test, test_name(module), "the test has the module's name");
    assert!(
        PLANS.iter().any(|listed| (listed.name, listed.about) == (plan.name, plan.about)),
        "{} is not in the list of plans",
        plan.name
    );
    let outcome = catch_unwind(scenario);
    if let Some(path) = result_of(plan, module) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("the folder of the results");
        std::fs::write(path, if outcome.is_ok() { "passed" } else { "FAILED" }).expect("a result");
    }
    if let Err(panic) = outcome {
        resume_unwind(panic);
    }
}

/// The name of a module's test.
pub fn test_name(module: &str) -> String {
    module.replace(['-', '.'], "_")
}

/// The file with the result of a module, where `cargo xtask conformance` collects them.
pub fn result_of(plan: &Plan, module: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("CONFORMANCE_RESULTS").filter(|folder| !folder.is_empty())?;
    let variant: String = plan.about.chars().map(|c| if c.is_alphanumeric() { c } else { '-' }).collect();
    Some(PathBuf::from(folder).join(format!("{} {variant}", plan.name)).join(module))
}
