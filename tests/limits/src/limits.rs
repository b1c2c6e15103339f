//! The limits and their values.

use std::time::Duration;

/// DynamoDB's limits, with the values that AWS documents as defaults. What AWS does not publish is marked.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Write units a second of one partition.
    pub partition_write_units: u64,
    /// Read units a second of one partition.
    pub partition_read_units: u64,
    /// How long a key range must be refused before it is split in two. AWS says "after a short period".
    pub split_after: Option<Duration>,
    /// Write units a second that a new table, and each new index, takes at once: its warm throughput.
    pub warm_write_units: u64,
    /// Read units a second, likewise.
    pub warm_read_units: u64,
    /// How long a peak of traffic must be past until twice as much is taken.
    pub doubles_after: Duration,
    /// The quota of write units a second for the table with its indexes. None: raised out of reach.
    pub table_write_quota: Option<u64>,
    /// The quota of read units a second for the table with its indexes.
    pub table_read_quota: Option<u64>,
    /// How long an index is behind the table. AWS says "a fraction of a second, under normal conditions".
    pub index_lag: Duration,
    /// Time of a call.
    pub latency: Latency,
    /// Whether writes of one item at the same time conflict.
    pub has_conflicts: bool,
}

/// The time of a call. AWS publishes no values but "single-digit millisecond".
#[derive(Clone, Debug)]
pub struct Latency {
    /// A read.
    pub read: Duration,
    /// A plain write.
    pub write: Duration,
    /// A transaction.
    pub transaction: Duration,
    /// Each call takes up to this many percent longer, at random.
    pub spread_percent: u32,
}

impl Limits {
    /// A new on-demand table in an account without raised quotas.
    pub fn new_table() -> Limits {
        Limits {
            partition_write_units: 1_000,
            partition_read_units: 3_000,
            split_after: Some(Duration::from_secs(300)),
            warm_write_units: 4_000,
            warm_read_units: 12_000,
            doubles_after: Duration::from_secs(30 * 60),
            table_write_quota: Some(40_000),
            table_read_quota: Some(40_000),
            index_lag: Duration::from_millis(300),
            latency: Latency {
                read: Duration::from_millis(4),
                write: Duration::from_millis(6),
                transaction: Duration::from_millis(15),
                spread_percent: 50,
            },
            has_conflicts: true,
        }
    }

    /// The same with warm throughput and quotas for this many write units and as many read units a second.
    pub fn warmed(units: u64) -> Limits {
        Limits {
            warm_write_units: units,
            warm_read_units: units,
            table_write_quota: Some(units.max(40_000)),
            table_read_quota: Some(units.max(40_000)),
            ..Limits::new_table()
        }
    }
}
