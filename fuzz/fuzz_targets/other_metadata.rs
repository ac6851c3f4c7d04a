#![no_main]

vestibule_fuzz_targets::target!("other_metadata");
