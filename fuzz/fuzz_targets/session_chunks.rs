#![no_main]

vestibule_fuzz_targets::target!("session_chunks");
