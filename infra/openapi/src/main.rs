//! Writes the OpenAPI document to the file in its argument, or to standard output.

use std::io::{self, Write as _};
use std::{env, fs};

fn main() -> io::Result<()> {
    let text = spillway_openapi::text();
    match env::args_os().nth(1) {
        Some(file) => fs::write(file, text),
        None => io::stdout().write_all(text.as_bytes()),
    }
}
