//! Differences that are meant.

/// A difference that is meant.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What differs.
    pub name: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// The same with the test of whether a difference is of this kind. Where it can, the test looks at the case and at the other
/// implementation's result, and not at the reason that Vestibule gives.
pub(crate) struct Deliberate<Is: 'static> {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    pub(crate) is: Is,
}

/// The rows without their tests.
pub(crate) fn rows<Is>(table: &'static [Deliberate<Is>]) -> Vec<Row> {
    table.iter().map(|row| Row { name: row.name, reason: row.reason }).collect()
}

/// The first row whose test `holds` for a difference.
pub(crate) fn find<Is: Copy>(
    table: &'static [Deliberate<Is>],
    holds: impl Fn(Is) -> bool,
) -> Option<&'static str> {
    table.iter().find(|row| holds(row.is)).map(|row| row.name)
}
