#![no_main]

vestibule_fuzz_targets::target!("dpop_proof");
