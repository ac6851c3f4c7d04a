//! A slice of the fuzzing: every seed, and generated inputs, a bounded number of them.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use vestibule_fuzz::engine::{Engine, read_seeds, run};
use vestibule_fuzz::{Shape, Target, corpus, found, seeds, target, targets};

/// A test for each target.
macro_rules! targets {
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

targets! {
    cookie_header session_chunks session_cookie api_set_cookie
    jwe jws jwk_set encrypted_token
    dates data_path
    id_token token_response userinfo discovery authorization_response api_answer
    token_exchange pushed_response signed_response refreshed_id_token other_metadata user_lists
    logout_token security_event
    access_token introspection dpop_proof dpop_nonce revocation_request
    sealed sealed_claims csrf
    forward_auth forwarded_fields request_source host_names languages
    http_framing request_head revocations_file overrides
    return_address request_path server_readings
    path_pattern regular_expression
    configuration form header_wire
    lock_call stored_values
    request
}

fn slice(name: &str) {
    let target = target(name).expect("a target");
    let seed = std::env::var("VESTIBULE_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let mut engine = Engine::new(target, seeds(target).expect("seeds"), seed);
    let result = engine.seeds().and_then(|()| engine.generated(target.slice));
    if let Err(finding) = result {
        panic!(
            "{name}: {}\nwith the input {:?}; seed {seed}",
            finding.message,
            String::from_utf8_lossy(&finding.input)
        );
    }
    println!("{name}: {} executions, {} shapes, seed {seed}", engine.executions, engine.shapes());
    assert!(engine.shapes() >= 2, "{name}: the inputs reach {} shapes only", engine.shapes());
}

#[test]
fn every_target_has_a_test_a_file_for_cargo_fuzz_and_seeds_of_a_few_kilobytes() {
    let names: BTreeSet<&str> = targets().map(|target| target.name).collect();
    assert_eq!(names.len(), targets().count(), "two targets have one name");
    assert_eq!(names, NAMES.iter().copied().collect());
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    let in_folder = |folder: &str, end: &str| -> BTreeSet<String> {
        let entries = fs::read_dir(fuzz.join(folder)).expect(folder).map(|entry| entry.unwrap().file_name());
        entries.map(|name| name.into_string().unwrap().trim_end_matches(end).to_owned()).collect()
    };
    let expected: BTreeSet<String> = names.iter().map(ToString::to_string).collect();
    assert_eq!(in_folder("fuzz_targets", ".rs"), expected);
    assert_eq!(in_folder("corpus", ""), expected);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for target in targets() {
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
        let seeds = read_seeds(&corpus(target)).unwrap();
        let size: usize = seeds.iter().map(Vec::len).sum();
        assert!(
            seeds.len() >= 3 && size <= 16 * 1024,
            "{}: {} seeds, {size} bytes",
            target.name,
            seeds.len()
        );
        let found = found(target).unwrap();
        let size: usize = found.iter().map(String::len).sum();
        assert!(
            found.len() <= 60 && size <= 6 * 1024,
            "{}: {} found inputs, {size} bytes",
            target.name,
            found.len()
        );
        assert!(!target.about.is_empty());
    }
}

#[test]
fn the_engine_finds_what_is_wrong_and_makes_it_small() {
    fn wrong(input: &[u8]) -> Shape {
        let text = String::from_utf8_lossy(input);
        assert!(!(text.contains("secret") && text.contains('%')), "found");
        Shape(u64::try_from(input.len()).unwrap())
    }
    static WRONG: Target = Target { name: "wrong", about: "", reads: &[], run: wrong, slice: 0 };
    let seeds = vec![b"a path with a secret".to_vec(), b"another one".to_vec()];
    let mut engine = Engine::new(&WRONG, seeds.clone(), 1);
    engine.seeds().expect("the seeds are good");
    let finding = engine.generated(10_000).expect_err("it is found");
    assert_eq!(finding.message, "found");
    assert_eq!(finding.input.len(), "secret%".len(), "{:?}", String::from_utf8_lossy(&finding.input));
    assert!(run(&WRONG, &finding.input).is_err() && run(&WRONG, b"secret").is_ok());
    // The same seed finds the same.
    let mut again = Engine::new(&WRONG, seeds, 1);
    again.seeds().expect("the seeds are good");
    assert_eq!(again.generated(10_000).expect_err("it is found").input, finding.input);
    assert_eq!(again.executions, engine.executions);
}
