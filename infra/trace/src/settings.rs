//! The settings, all from environment variables: infra/trace/run.sh lists them.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::{Client, Config};
use spillway_domain::id::MerchantId;
use spillway_domain::time::Timestamp;

use crate::error::TraceError;
use crate::log::Logs;
use crate::table::Table;
use crate::target::Target;

const HOUR_MS: i64 = 3_600_000;
/// The time that is searched for a request if `SINCE` is not set: a day.
const REQUEST_SINCE_MS: i64 = 24 * HOUR_MS;

/// What to show, and where to read it.
pub struct Settings {
    pub target: Target,
    /// `MERCHANT`, or the merchant that the id's text names.
    pub merchant: Option<MerchantId>,
    pub table: Table,
    pub logs: Logs,
    pub json: bool,
    pub now: Timestamp,
    /// `SINCE` in milliseconds.
    pub since_ms: Option<i64>,
}

impl Settings {
    /// Reads the environment. Errors with a sentence if a variable is missing or wrong, or if no local stack runs.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings, TraceError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let (target, named) = Target::parse(&set("ID").unwrap_or_default())?;
        let merchant = set("MERCHANT").map(merchant).transpose()?.or(named);
        let data = set("DATA").unwrap_or_else(|| ".local".to_owned());
        let with_logs = set("LOGS").as_deref() != Some("0");
        let since_ms = set("SINCE").map(span).transpose()?;
        let (table, logs) = match set("TABLE_NAME") {
            Some(name) => (deployed(name, &set)?, set("LOG_COMMAND").map_or(Logs::None, Logs::Command)),
            None => (local(&data)?, Logs::File(format!("{data}/functions.log"))),
        };
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(Settings {
            target,
            merchant,
            table,
            logs: if with_logs { logs } else { Logs::None },
            json: set("JSON").is_some_and(|value| value != "0"),
            now: Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX)),
            since_ms,
        })
    }

    /// The milliseconds that are searched for a request.
    pub fn request_since_ms(&self) -> i64 {
        self.since_ms.unwrap_or(REQUEST_SINCE_MS)
    }
}

fn merchant(value: String) -> Result<MerchantId, TraceError> {
    MerchantId::parse(&value).map_err(|_| TraceError::Wrong { name: "MERCHANT", expected: "an id, mer_…", value })
}

/// Milliseconds of `30m`, `2h` or `7d`.
fn span(value: String) -> Result<i64, TraceError> {
    let unit_ms = [("m", HOUR_MS / 60), ("h", HOUR_MS), ("d", 24 * HOUR_MS)];
    let parsed = unit_ms.into_iter().find_map(|(unit, unit_ms)| {
        let count: i64 = value.strip_suffix(unit)?.parse().ok()?;
        (count > 0).then(|| count.checked_mul(unit_ms)).flatten()
    });
    parsed.ok_or(TraceError::Wrong { name: "SINCE", expected: "a time such as 30m, 2h or 7d", value })
}

/// The table of a deployed stack, with region, credentials and address from AWS's own variables.
fn deployed(name: String, set: &dyn Fn(&str) -> Option<String>) -> Result<Table, TraceError> {
    let missing = |name| TraceError::Wrong { name, expected: "set", value: String::new() };
    let required = |name: &'static str| set(name).ok_or_else(|| missing(name));
    let credentials = Credentials::new(
        required("AWS_ACCESS_KEY_ID")?,
        required("AWS_SECRET_ACCESS_KEY")?,
        set("AWS_SESSION_TOKEN"),
        None,
        "environment",
    );
    let address = set("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| set("AWS_ENDPOINT_URL"));
    Ok(Table::new(client(required("AWS_REGION")?, credentials, address), name))
}

/// The table of the local stack that runs on `data`.
fn local(data: &str) -> Result<Table, TraceError> {
    let path = format!("{data}/dev.json");
    let text = std::fs::read_to_string(&path).map_err(|_| TraceError::NoStack(path.clone()))?;
    let described: serde_json::Value =
        serde_json::from_str(&text).map_err(|_| TraceError::Description(path.clone()))?;
    let field =
        |name: &str| described[name].as_str().map(str::to_owned).ok_or_else(|| TraceError::Description(path.clone()));
    let credentials = Credentials::new("local", "local", None, None, "local");
    let client = client("us-east-1".to_owned(), credentials, Some(field("dynamodb_url")?));
    Ok(Table::new(client, field("table")?))
}

fn client(region: String, credentials: Credentials, address: Option<String>) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new(region))
        .credentials_provider(credentials);
    Client::from_conf(address.into_iter().fold(config, |config, address| config.endpoint_url(address)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_number_with_a_unit() {
        for (text, expected) in [("30m", 1_800_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            assert_eq!(span(text.to_owned()).unwrap(), expected);
        }
        for wrong in ["", "2", "h", "-2h", "0d", "2 h", "99999999999999d"] {
            assert!(span(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
