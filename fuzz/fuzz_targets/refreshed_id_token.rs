#![no_main]

vestibule_fuzz_targets::target!("refreshed_id_token");
