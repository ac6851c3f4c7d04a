#![no_main]

vestibule_fuzz_targets::target!("authorization_response");
