//! The trigger's position in the stream, stored in a file so that a restart continues there.

use std::fs;
use std::io;
use std::path::PathBuf;

use serde_json::{Value, json};

/// The last record that is done.
pub(super) struct Checkpoint {
    path: PathBuf,
    sequence: Option<i64>,
}

impl Checkpoint {
    /// The checkpoint in the file at `path`. A missing or unreadable file has no position.
    pub fn open(path: PathBuf) -> io::Result<Self> {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let sequence = serde_json::from_str::<Value>(&text).ok().and_then(|value| value["sequence"].as_i64());
        Ok(Self { path, sequence })
    }

    /// The last record's sequence. `None` if no record is done.
    pub fn get(&self) -> Option<i64> {
        self.sequence
    }

    /// Stores that all records up to `sequence` are done.
    pub fn set(&mut self, sequence: i64) -> io::Result<()> {
        if self.sequence == Some(sequence) {
            return Ok(());
        }
        // Renamed, so that the file is complete even if the process is killed here.
        let next = self.path.with_extension("next");
        fs::write(&next, json!({"sequence": sequence}).to_string())?;
        fs::rename(&next, &self.path)?;
        self.sequence = Some(sequence);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Checkpoint;
    use crate::files::tests::Scratch;

    #[test]
    fn a_checkpoint_survives_and_an_invalid_one_is_ignored() {
        let scratch = Scratch::new();
        let path = scratch.file("checkpoint.json");
        let mut checkpoint = Checkpoint::open(path.clone()).unwrap();
        assert_eq!(checkpoint.get(), None);
        checkpoint.set(7).unwrap();
        assert_eq!(Checkpoint::open(path.clone()).unwrap().get(), Some(7));
        std::fs::write(&path, "{").unwrap();
        assert_eq!(Checkpoint::open(path.clone()).unwrap().get(), None);
    }
}
