#![no_main]

vestibule_fuzz_targets::target!("logout_token");
