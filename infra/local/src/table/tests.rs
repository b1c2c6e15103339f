//! The table in a file of its own.

use super::*;
use crate::files::tests::Scratch;

/// A table in a file that is removed at the end.
pub(crate) struct Bench {
    pub table: Table,
    pub path: PathBuf,
    _scratch: Scratch,
}

impl Bench {
    pub fn new() -> Self {
        let scratch = Scratch::new();
        let path = scratch.file("table.db");
        let table = Table::open(&path, &described(), 0).unwrap();
        Self { table, path, _scratch: scratch }
    }

    /// Another connection to the engine's file.
    pub fn database(&self) -> Database {
        Database::new(&self.path.to_string_lossy()).unwrap()
    }
}

pub(crate) fn put(database: &Database, sk: &str) {
    let item = json!({"pk": {"S": "a"}, "sk": {"S": sk}, "listing": {"S": "l"}, "listing_at": {"S": sk}});
    let request = json!({"TableName": "orders", "Item": item});
    database.put_item(serde_json::from_value(request).unwrap()).unwrap();
}

fn described() -> template::Table {
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
    let properties = json!({
        "TableName": "orders",
        "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        "AttributeDefinitions": [text("pk"), text("sk"), text("listing"), text("listing_at")],
        "GlobalSecondaryIndexes": [{
            "IndexName": "listing",
            "KeySchema": [key("listing", "HASH"), key("listing_at", "RANGE")],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
            "WarmThroughput": {"WriteUnitsPerSecond": 4000},
        }],
        "WarmThroughput": {"WriteUnitsPerSecond": 4000},
        "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
        "TimeToLiveSpecification": {"AttributeName": "expires_at", "Enabled": true},
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": true},
    });
    template::Table { name: "orders".to_owned(), properties }
}

/// Records in the stream.
fn records(bench: &Bench) -> i64 {
    let connection = Connection::open(&bench.path).unwrap();
    let count = "SELECT COUNT(*) FROM _stream_records";
    connection.query_row(count, [], |row| row.get(0)).unwrap()
}

#[test]
fn the_table_is_created_once_and_used_again() {
    let bench = Bench::new();
    let database = bench.database();
    put(&database, "one");
    let made = database.get_table_metadata("orders").unwrap().unwrap();
    assert_eq!(made.ttl_attribute.as_deref(), Some("expires_at"));
    assert!(made.stream_enabled && made.ttl_enabled);
    assert!(made.gsi_definitions.unwrap().contains("KEYS_ONLY"));
    let again = Table::open(&bench.path, &described(), 0).unwrap();
    assert_ne!(again.url(), bench.table.url());
    assert_eq!(records(&bench), 1);
}

#[test]
fn a_changed_table_is_refused() {
    let bench = Bench::new();
    let mut changed = described();
    changed.properties["KeySchema"][0]["AttributeName"] = "other".into();
    changed.properties["AttributeDefinitions"][0]["AttributeName"] = "other".into();
    let refused = Table::open(&bench.path, &changed, 0).err().unwrap();
    assert!(matches!(refused, TableError::Changed("key schema")));
    let mut changed = described();
    changed.properties["GlobalSecondaryIndexes"][0]["IndexName"] = "other".into();
    let refused = Table::open(&bench.path, &changed, 0).err().unwrap();
    assert!(matches!(refused, TableError::Changed("set of indexes")));
}

#[test]
fn a_taken_port_is_an_error() {
    let bench = Bench::new();
    let port = bench.table.address.port();
    let refused = Table::open(&bench.path, &described(), port).err().unwrap();
    assert!(refused.to_string().contains(&port.to_string()));
}

#[test]
fn writes_find_the_last_record_by_an_index_and_old_records_are_trimmed() {
    let bench = Bench::new();
    put(&bench.database(), "one");
    let connection = Connection::open(&bench.path).unwrap();
    connection.execute("UPDATE _stream_records SET created_at = created_at - 90000", []).unwrap();
    put(&bench.database(), "two");
    let plan: String = connection
        .query_row(
            "EXPLAIN QUERY PLAN SELECT MAX(CAST(sequence_number AS INTEGER))
             FROM _stream_records WHERE table_name = 'orders'",
            [],
            |row| row.get(3),
        )
        .unwrap();
    assert!(plan.contains("stream_order"), "{plan}");
    Table::open(&bench.path, &described(), 0).unwrap();
    assert_eq!(records(&bench), 1);
}
