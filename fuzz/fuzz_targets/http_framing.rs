#![no_main]

vestibule_fuzz_targets::target!("http_framing");
