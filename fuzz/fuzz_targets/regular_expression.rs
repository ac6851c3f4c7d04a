#![no_main]

vestibule_fuzz_targets::target!("regular_expression");
