//! Why there is no report. Each text is a sentence for the operator.

/// Why an item can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The id names no kind of item.
    #[error(
        "Name an item: make trace ID=pay_…, or re_…, txn_…, evt_…, \"evt_… we_…\" (a delivery), we_…, key_…, or the id of \
         a request."
    )]
    Usage,
    /// A variable has a value that is not allowed.
    #[error("{name} must be {expected}, not {value:?}.")]
    Wrong { name: &'static str, expected: &'static str, value: String },
    /// No local stack runs.
    #[error("No stack runs here: {0} is not there. For a deployed stack, set STACK= and AWS_REGION=.")]
    NoStack(String),
    /// The description of the local stack can't be read.
    #[error("{0} can't be read.")]
    Description(String),
    /// No merchant has the item.
    #[error("There is no {what} {id} in the table {table}, in the data of {merchants}.")]
    NotFound { what: &'static str, id: String, table: String, merchants: String },
    /// The table does not answer, or refuses.
    #[error("The table {table} can't be read: {why}.")]
    Table { table: String, why: String },
    /// The logs can't be read.
    #[error("The logs can't be read: {0}. LOGS=0 leaves them out.")]
    Logs(String),
    /// A request is only found in the logs.
    #[error("No log line names the request {0}. SINCE=7d searches a longer time than a day; LOGS must not be 0.")]
    NoLine(String),
    /// The report can't be written as JSON.
    #[error("The report can't be written: {0}.")]
    Report(#[from] serde_json::Error),
}
