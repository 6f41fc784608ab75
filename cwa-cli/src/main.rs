//! The command line `cwa`; everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    cwa_cli::main()
}
