//! Where a call uses units, and which limit refuses it.

use std::collections::BTreeMap;
use std::fmt;

/// The table or an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Space {
    /// The table.
    Table,
    /// The index of this name.
    Index(String),
}

/// Reading or writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    Read,
    Write,
}

/// A key of the table or of an index, with what a call does there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub space: Space,
    pub access: Access,
    pub partition: String,
    /// The sort key. None for a query, which reads the whole partition or a part of it.
    pub sort: Option<String>,
}

/// A limit that has refused a call, in the words of DynamoDB's `ThrottlingReasons`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// `KeyRangeThroughputExceeded`: the partition of this key.
    KeyRange(Space, Access, String),
    /// More than the table or the index is scaled for at this time: its warm throughput, or twice its last peak.
    Scaled(Space, Access),
    /// `AccountLimitExceeded`: the account's quota for the table.
    Quota(Access),
}

/// How often each limit has refused a call, or an item of a batch.
pub type Refusals = BTreeMap<Limit, u64>;

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Access::Read => "Read",
            Access::Write => "Write",
        })
    }
}

impl Space {
    /// `Table` or `Index`, as the throttling reasons name them.
    fn kind(&self) -> &'static str {
        match self {
            Space::Table => "Table",
            Space::Index(_) => "Index",
        }
    }
}

impl Limit {
    /// The throttling reason, such as `TableWriteKeyRangeThroughputExceeded`.
    pub fn reason(&self) -> String {
        match self {
            Limit::KeyRange(space, access, _) => format!("{}{access}KeyRangeThroughputExceeded", space.kind()),
            // AWS names no reason for a table that is still scaling. Its partitions refuse.
            Limit::Scaled(space, access) => format!("{}{access}KeyRangeThroughputExceeded", space.kind()),
            Limit::Quota(access) => format!("Table{access}AccountLimitExceeded"),
        }
    }

    /// The partition key that was too hot. None for the limits of a whole table.
    pub fn partition(&self) -> Option<&str> {
        match self {
            Limit::KeyRange(_, _, partition) => Some(partition),
            Limit::Scaled(..) | Limit::Quota(_) => None,
        }
    }
}
