#![no_main]

vestibule_fuzz_targets::target!("data_path");
