//! Stands in for DynamoDB: the crate dynoxide with a file, and the table of the template.

#[cfg(test)]
pub(crate) mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use dynoxide::Database;
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};
use tokio::runtime::Runtime;

use crate::stream::Changes;
use crate::template;

/// How often items past their time to live are deleted. DynamoDB may take days.
const SWEEP_EVERY: Duration = Duration::from_secs(300);

/// Properties that the engine accepts. (`template/store.rs` refuses unknown ones.)
const TAKEN: [&str; 3] = ["KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes"];

/// Properties of an index that the engine accepts.
const INDEX_TAKEN: [&str; 3] = ["IndexName", "KeySchema", "Projection"];

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("the table's properties: {0}")]
    Properties(String),
    #[error("the table on disk has another {0} than the template; FRESH=1 starts with an empty one")]
    Changed(&'static str),
    #[error("the table's file: {0}")]
    Engine(#[from] dynoxide::DynoxideError),
    #[error("the table's file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the table's server can't listen on port {port} ({error}): choose another with DYNAMODB_PORT=")]
    Server { port: u16, error: std::io::Error },
}

/// The running table. Dropping it stops its server.
pub struct Table {
    name: String,
    address: SocketAddr,
    path: PathBuf,
    runtime: Option<Runtime>,
}

impl Table {
    /// Opens or creates the file at `path` with the template's table, and serves the DynamoDB API on `port` of the
    /// loopback interface (0: any). It has threads of its own because the engine's handlers block.
    pub fn open(path: &Path, table: &template::Table, port: u16) -> Result<Self, TableError> {
        let database = Database::new(&path.to_string_lossy())?;
        // Committed data survives a killed runner, but not a power cut: waiting for the disk would be most of a write's
        // time. (It sets `synchronous` to NORMAL. The engine's own setting is FULL.)
        database.disable_bulk_loading()?;
        prepare_stream(path)?;
        create(&database, table)?;
        let server = |error| TableError::Server { port, error };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("table")
            .enable_all()
            .build()
            .map_err(server)?;
        let listening = {
            let _inside = runtime.enter();
            listen(port).and_then(|listener| Ok((listener.local_addr()?, listener)))
        };
        let (address, listener) = match listening {
            Ok(listening) => listening,
            Err(error) => {
                runtime.shutdown_background();
                return Err(server(error));
            }
        };
        runtime.spawn(sweep(database.clone()));
        runtime.spawn(async move {
            // It ends with the runtime.
            let never = std::future::pending();
            let _ = dynoxide::server::serve_with_shutdown(listener, database, never).await;
        });
        Ok(Self { name: table.name.clone(), address, path: path.to_owned(), runtime: Some(runtime) })
    }

    /// Where the DynamoDB API answers.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The table's change stream.
    pub fn changes(&self) -> Result<Changes, TableError> {
        Ok(Changes::open(&self.path, &self.name)?)
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // A plain drop waits for the threads, which panics in async code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Adds an index, because every write looks for the stream's last record and would read the whole stream without it.
/// Deletes records older than 24 hours, as DynamoDB does: the engine never deletes one.
fn prepare_stream(path: &Path) -> Result<(), rusqlite::Error> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "CREATE INDEX IF NOT EXISTS stream_order
             ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
         DELETE FROM _stream_records WHERE created_at < unixepoch() - 24 * 60 * 60;",
    )
}

fn create(database: &Database, table: &template::Table) -> Result<(), TableError> {
    let request = create_request(table)?;
    match database.get_table_metadata(&table.name)? {
        Some(existing) => check(&existing, &request)?,
        None => {
            let request = serde_json::from_value(request).map_err(|error| TableError::Properties(error.to_string()))?;
            database.create_table(request)?;
        }
    }
    let time_to_live = &table.properties["TimeToLiveSpecification"];
    if time_to_live["Enabled"] == true
        && database.get_table_metadata(&table.name)?.is_some_and(|existing| !existing.ttl_enabled)
    {
        let request = json!({"TableName": table.name, "TimeToLiveSpecification": time_to_live});
        let request = serde_json::from_value(request).map_err(|error| TableError::Properties(error.to_string()))?;
        database.update_time_to_live(request)?;
    }
    Ok(())
}

fn create_request(table: &template::Table) -> Result<Value, TableError> {
    let Some(properties) = table.properties.as_object() else {
        return Err(TableError::Properties("they are no map".to_owned()));
    };
    let mut request = properties.clone();
    request.retain(|name, _| TAKEN.contains(&name.as_str()));
    let indexes = request.get_mut("GlobalSecondaryIndexes").and_then(Value::as_array_mut);
    for index in indexes.into_iter().flatten().filter_map(Value::as_object_mut) {
        index.retain(|name, _| INDEX_TAKEN.contains(&name.as_str()));
    }
    request.insert("TableName".into(), table.name.as_str().into());
    request.insert("BillingMode".into(), "PAY_PER_REQUEST".into());
    let stream = properties.get("StreamSpecification");
    if let Some(view) = stream.map(|stream| &stream["StreamViewType"]) {
        let stream = json!({"StreamEnabled": true, "StreamViewType": view});
        request.insert("StreamSpecification".into(), stream);
    }
    Ok(request.into())
}

/// Refuses an existing table that differs from the template's. It cannot be changed in place.
fn check(existing: &dynoxide::TableMetadata, request: &Value) -> Result<(), TableError> {
    let stored = |text: Option<&String>| -> Value {
        let text = text.map_or("null", String::as_str);
        serde_json::from_str(text).unwrap_or_default()
    };
    if stored(Some(&existing.key_schema)) != request["KeySchema"] {
        return Err(TableError::Changed("key schema"));
    }
    if keys(&stored(existing.gsi_definitions.as_ref())) != keys(&request["GlobalSecondaryIndexes"]) {
        return Err(TableError::Changed("set of indexes"));
    }
    let view = request["StreamSpecification"]["StreamViewType"].as_str();
    if existing.stream_view_type.as_deref() != view {
        return Err(TableError::Changed("stream"));
    }
    Ok(())
}

/// Name and keys of each index, by name.
fn keys(indexes: &Value) -> Vec<(String, &Value)> {
    let indexes = indexes.as_array().map(Vec::as_slice).unwrap_or_default();
    let mut keys: Vec<_> = indexes.iter().map(|index| (index["IndexName"].to_string(), &index["KeySchema"])).collect();
    keys.sort_by(|a, b| a.0.cmp(&b.0));
    keys
}

fn listen(port: u16) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // Connections inherit the option: answers do not wait for the client's acknowledgement.
    socket.set_nodelay(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    socket.listen(1024)
}

async fn sweep(database: Database) {
    let mut every = tokio::time::interval(SWEEP_EVERY);
    loop {
        every.tick().await;
        let database = database.clone();
        // The next sweep repeats a failed one.
        let _ = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
    }
}
