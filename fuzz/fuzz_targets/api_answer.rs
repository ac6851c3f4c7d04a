#![no_main]

vestibule_fuzz_targets::target!("api_answer");
