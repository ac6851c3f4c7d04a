//! The program of `vestibule_server`.

use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule_server::main()
}
