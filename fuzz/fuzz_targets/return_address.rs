#![no_main]

vestibule_fuzz_targets::target!("return_address");
