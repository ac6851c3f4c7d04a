#![no_main]

vestibule_fuzz_targets::target!("user_lists");
