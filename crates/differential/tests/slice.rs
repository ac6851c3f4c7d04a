//! A slice of the comparison: some hundred or thousand cases of each family.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use serde_json::json;
use vestibule_differential::run::{repeat, run};
use vestibule_differential::{FAMILIES, Random, Verdict, Worker, family};

/// A test for each family.
macro_rules! families {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                slice(stringify!($name));
            }
        )*
    };
}

families! {
    jwe jwe_of_authjs jws id_token jws_of_jose cookie_header session_chunks set_cookie matcher value
}

fn slice(name: &str) {
    let family = family(name).expect("a family");
    let seed = std::env::var("VESTIBULE_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let cases = u64::try_from(family.slice).unwrap();
    let tally = run(&Worker::start(), family, seed, 0..cases);
    println!("{}", tally.row(family));
    assert_eq!(tally.different, 0, "\n{}", tally.report(family, seed));
    assert_eq!(tally.cases, cases);
    assert!(tally.accepted >= cases / 10, "{name}: both accept {} of {cases} cases only", tally.accepted);
}

#[test]
fn every_family_has_a_test_and_the_shares_are_thousandths() {
    let names: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
    assert_eq!(names, NAMES.iter().copied().collect());
    assert_eq!(FAMILIES.iter().map(|family| family.share).sum::<usize>(), 1000);
    for family in FAMILIES {
        let rows = (family.deliberate)();
        let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
        assert_eq!(names.len(), rows.len(), "{}: two rows have one name", family.name);
        assert!(rows.iter().all(|row| !row.reason.is_empty()), "{}", family.name);
    }
}

#[test]
fn the_same_seed_and_number_give_the_same_case() {
    let family = family("session_chunks").expect("a family");
    assert_eq!(family.case(7, 3), family.case(7, 3));
    assert_ne!(family.case(7, 3), family.case(7, 4));
    assert_ne!(family.case(7, 3), family.case(8, 3));
    let first = |name: &str| Random::of(7, name, 3).below(usize::MAX);
    assert_ne!(first("jwe"), first("jws"));
}

/// What a difference would be is found: here the case is changed after it was answered.
#[test]
fn a_difference_without_a_reason_is_found() {
    let worker = Worker::start();
    let family = family("cookie_header").expect("a family");
    let case = json!({ "dialect": "v5", "header": "a=1; b=2" });
    assert_eq!(repeat(&worker, family, &case), Verdict::BothAccept);
    let answer = worker.ask(family, &json!({ "dialect": "v5", "header": "a=1; b=3" }));
    assert!(matches!((family.judge)(&case, &answer), Verdict::Different(_)));
    let family = vestibule_differential::family("matcher").expect("a family");
    let case = json!({ "source": "/a/:b*", "texts": ["/a", "/a/b", "/ab"] });
    assert_eq!(repeat(&worker, family, &case), Verdict::BothAccept);
    assert!(matches!((family.judge)(&case, &Ok(json!([[true], [true], [true]]))), Verdict::Different(_)));
}
