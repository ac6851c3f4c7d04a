//! What no log of the built Worker may have in it.

use miniflare_test_harness::Harness;

/// Asserts that the whole log has none of the `confidential` texts, no token, and no uncaught exception.
pub fn assert_clean<'a>(harness: &Harness, confidential: impl IntoIterator<Item = &'a str>) {
    let log = harness.logs().text();
    for word in confidential {
        assert!(!log.contains(word), "the log contains {word:?}:\n{log}");
    }
    assert!(!log.contains("eyJ"), "the log contains a token:\n{log}");
    let lines = harness.logs().lines();
    let exceptions: Vec<_> = lines.iter().filter(|line| line.from_runtime).collect();
    assert!(exceptions.is_empty(), "the runtime reported exceptions: {exceptions:#?}");
}
