//! Checks the models, and says what it found.

use std::fmt::{Debug, Write as _};
use std::hash::Hash;

use stateright::{Checker, Expectation, Model, Property};

use crate::keyvalue::KeyValueModel;
use crate::lock::LockModel;
use crate::refresh::{Provider, RefreshModel};
use crate::revocation::RevocationModel;
use crate::world::Kept;

/// The result of one check.
pub struct Checked {
    name: String,
    /// How many different states were explored.
    states: usize,
    properties: usize,
    /// What does not hold, with what leads to it.
    pub broken: Vec<String>,
    /// What the platform's limit is, with what leads to it.
    limits: Vec<String>,
}

/// How much is explored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// What takes a minute without optimization.
    Slice,
    /// What takes minutes with it.
    Whole,
}

/// A check, by its name.
pub type Check = (String, Box<dyn Fn(String) -> Checked>);

/// The checks in their order.
pub fn checks(extent: Extent) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    let locks: &[LockModel] = match extent {
        Extent::Slice => &[
            LockModel { faults: 0, attempts: 1, steps: 4, with_sign_out: true },
            LockModel { faults: 1, attempts: 1, steps: 3, with_sign_out: false },
        ],
        Extent::Whole => &[
            LockModel { faults: 2, attempts: 1, steps: 4, with_sign_out: false },
            LockModel { faults: 1, attempts: 1, steps: 5, with_sign_out: true },
            LockModel { faults: 0, attempts: 2, steps: 5, with_sign_out: true },
        ],
    };
    for model in locks.iter().copied() {
        checks.push((model.name(), Box::new(move |name| check(name, model))));
    }
    for model in KeyValueModel::all(extent) {
        checks.push((model.name(), Box::new(move |name| check(name, model))));
    }
    for kept in [Kept::Object, Kept::KvDelayed, Kept::KvFresh] {
        for provider in [Provider::KeepsIt, Provider::Grace, Provider::Strict] {
            for (faults, arrivals, with_sign_out) in [(1, 6, false), (2, 1, false), (1, 2, true)] {
                let is_in_slice = match kept {
                    Kept::Object => provider == Provider::Strict,
                    Kept::KvDelayed | Kept::KvFresh => provider == Provider::Grace,
                };
                let (faults, arrivals) = match extent {
                    Extent::Whole => (faults, arrivals),
                    Extent::Slice if is_in_slice && faults == 1 => (usize::from(!with_sign_out), 1),
                    Extent::Slice => continue,
                };
                let model = RefreshModel { kept, provider, faults, arrivals, with_sign_out };
                checks.push((model.name(), Box::new(move |name| check(name, model))));
            }
        }
        for with_tokens in [false, true] {
            let events = if extent == Extent::Whole { 4 } else { 2 };
            let model = RevocationModel { kept, with_tokens, events };
            checks.push((model.name(), Box::new(move |name| check(name, model))));
        }
    }
    checks
}

/// Explores a model's states, all of them.
fn check<M>(name: String, model: M) -> Checked
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + Debug + Hash + PartialEq + Send + Sync,
    M::Action: Clone + Debug + PartialEq,
{
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = model.checker().threads(threads).spawn_dfs().join();
    let mut discoveries = checker.discoveries();
    let properties: Vec<Property<M>> = checker.model().properties();
    let mut result = Checked {
        name,
        states: checker.unique_state_count(),
        properties: 0,
        broken: Vec::new(),
        limits: Vec::new(),
    };
    for property in properties {
        let found = discoveries.remove(property.name);
        match (property.expectation, found) {
            (Expectation::Sometimes, Some(path)) if property.name.starts_with(LIMIT) => {
                result.limits.push(format!("{}: {:?}", property.name, path.last_state()));
            }
            (Expectation::Sometimes, None) => {
                result.broken.push(format!("never happens: {}", property.name));
            }
            (Expectation::Always | Expectation::Eventually, Some(path)) => {
                let mut text = format!("does not hold: {}", property.name);
                let last = format!("{:?}", path.last_state());
                for action in path.into_actions() {
                    let _ = write!(text, "\n    {action:?}");
                }
                let _ = write!(text, "\n    {last}");
                result.broken.push(text);
            }
            (Expectation::Always | Expectation::Eventually, None) | (Expectation::Sometimes, Some(_)) => {
                result.properties += 1;
            }
        }
    }
    result
}

/// How the properties are called that say what cannot be prevented. They must happen: otherwise the documents are wrong.
pub const LIMIT: &str = "limit of the platform";

impl Checked {
    /// The heading of the table.
    pub const HEADING: &'static str =
        "| model | states | properties that hold | limits shown |\n|---|--:|--:|--:|";

    /// Its line of the table.
    pub fn line(&self) -> String {
        format!("| {} | {} | {} | {} |", self.name, self.states, self.properties, self.limits.len())
    }
}
