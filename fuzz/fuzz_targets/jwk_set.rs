#![no_main]

vestibule_fuzz_targets::target!("jwk_set");
