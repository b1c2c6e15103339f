//! Reads the change stream from the table's file.
//!
//! The engine's own call would hold the lock that every write needs, and would read both images of records that no
//! filter passes. A second connection does neither.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, params};

/// The engine adds this to a stored sequence number to make the public one of 21 digits.
const SEQUENCE_OFFSET: i128 = 100_000_000_000_000_000_000;

/// The change stream of one table. It has one shard.
pub struct Changes {
    connection: Connection,
    table: String,
}

/// One record of the stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Its place in the stream. The numbers increase, with gaps.
    pub sequence: i64,
    pub event_id: String,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: String,
    /// JSON with types, as `{"pk":{"S":"a"}}`.
    pub keys: String,
    pub new_image: Option<String>,
    pub old_image: Option<String>,
    /// The identity that deleted the item, as JSON, if its time to live expired.
    pub user_identity: Option<String>,
    /// Seconds since 1970.
    pub created_at: i64,
}

impl Change {
    /// The sequence number as functions see it.
    pub fn public_sequence(&self) -> String {
        (SEQUENCE_OFFSET + i128::from(self.sequence)).to_string()
    }
}

impl Changes {
    /// The stream of `table` in the file at `path`.
    pub(crate) fn open(path: &Path, table: &str) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Self { connection, table: table.to_owned() })
    }

    /// The table's name.
    pub(super) fn table(&self) -> &str {
        &self.table
    }

    /// A number that changes with each commit to the file.
    pub(super) fn version(&self) -> Result<i64, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        statement.query_row([], |row| row.get(0))
    }

    /// Up to `limit` records after `sequence`, the oldest first.
    pub(super) fn after(&self, sequence: i64, limit: usize) -> Result<Vec<Change>, rusqlite::Error> {
        let mut statement = self.connection.prepare_cached(
            "SELECT CAST(sequence_number AS INTEGER), COALESCE(event_id, sequence_number), event_name,
                    keys_json, new_image, old_image, user_identity, created_at
             FROM _stream_records
             WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2
             ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let changes = statement.query_map(params![self.table, sequence, limit], |row| {
            Ok(Change {
                sequence: row.get(0)?,
                event_id: row.get(1)?,
                event_name: row.get(2)?,
                keys: row.get(3)?,
                new_image: row.get(4)?,
                old_image: row.get(5)?,
                user_identity: row.get(6)?,
                created_at: row.get(7)?,
            })
        })?;
        changes.collect()
    }

    /// The sequence of the last record, or 0 without records.
    #[cfg(test)]
    pub(super) fn last(&self) -> Result<i64, rusqlite::Error> {
        self.connection.query_row(
            "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0)
             FROM _stream_records WHERE table_name = ?1",
            [&self.table],
            |row| row.get(0),
        )
    }

    /// The stream's label, which differs from that of an earlier stream of the same table, and its view type.
    pub(super) fn label_and_view(&self) -> Result<(String, String), rusqlite::Error> {
        self.connection.query_row(
            "SELECT COALESCE(stream_label, ''), COALESCE(stream_view_type, 'NEW_AND_OLD_IMAGES')
             FROM _tables WHERE table_name = ?1",
            [&self.table],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
    }
}
