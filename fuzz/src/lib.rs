//! What every program in `fuzz_targets` is.

#![forbid(unsafe_code)]

pub use {libfuzzer_sys, vestibule_fuzz};

/// The program of the target of this name. Half of the inputs are changed as libFuzzer does it, and half as the engine of
/// `crates/fuzz` does, which knows JSON and the words of the seeds.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        $crate::libfuzzer_sys::fuzz_target!(|input: &[u8]| $crate::vestibule_fuzz::fuzz($name, input));
        $crate::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max: usize, seed: u32| {
            if seed % 2 == 0 {
                $crate::libfuzzer_sys::fuzzer_mutate(data, size, max)
            } else {
                $crate::vestibule_fuzz::mutate($name, data, size, max, seed)
            }
        });
    };
}
