//! Writes the reference page to the file that it is given.

use std::{env, fs, io};

fn main() -> io::Result<()> {
    let file = env::args_os().nth(1).unwrap_or_else(|| "reference.html".into());
    fs::write(file, spillway_local::reference_page())
}
