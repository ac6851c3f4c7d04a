#![no_main]

vestibule_fuzz_targets::target!("pushed_response");
