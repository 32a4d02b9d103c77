//! The `lgi-mm` command.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    lgi_mm::cli::run(std::env::args_os()).await
}
