//! Every environment variable that Spillway's functions read. Each is a parameter of `infra/template.yaml` (in
//! CamelCase there), and `make dev NAME=value` sets it locally.

use std::env;

use spillway_domain::payment::{CLOCK_SKEW_MS, UnknownOutcomePolicy};
use spillway_domain::time::Timestamp;

/// The settings of a function, with the template's defaults.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `TABLE_NAME`.
    pub table: String,
    /// `PROCESSOR_QUEUE_URL`.
    pub processor_queue_url: String,
    /// `FOLDS_QUEUE_URL`.
    pub folds_queue_url: String,
    /// `WEBHOOKS_QUEUE_URL`.
    pub webhooks_queue_url: String,
    /// `STORE_DEADLINE_MS`: milliseconds for one store operation with all its retries.
    pub store_deadline_ms: u32,
    /// `CACHE_SECONDS`: how long a process may believe what it read of a merchant.
    pub cache_s: u32,
    /// `DUE_MONEY_SHARDS`, `DUE_EVENTS_SHARDS`, `DUE_DELIVERIES_SHARDS`: only ever raised.
    pub due_shards: DueShards,
    /// `SHARDS_AHEAD_SECONDS`: how far ahead a raise of a merchant's shards is dated, or further:
    /// [`Settings::shards_from`].
    pub shards_ahead_s: u32,
    /// `FIRST_DUE_SECONDS`: when what is unfinished becomes overdue.
    pub first_due_s: u32,
    /// `CLAIM_SECONDS`: how long a claimed item waits before it is enqueued again; doubles with each claim.
    pub claim_s: u32,
    /// `FOLD_DELAY_SECONDS`: how long movements gather before a fold.
    pub fold_delay_s: u32,
    /// `PROCESSOR_WAITS_SECONDS`, `REPEATABLE_FOR_SECONDS`, `ABSENT_AGAIN_SECONDS` and `LAST_LOOK_SECONDS`.
    pub unknown_outcome: UnknownOutcomePolicy,
    /// `WEBHOOK_WAITS_SECONDS`: after the first, second, … failed attempt; then it is given up.
    pub webhook_waits_s: Vec<u32>,
    /// `WEBHOOK_DEADLINE_MS`: for one attempt.
    pub webhook_deadline_ms: u32,
    /// `WEBHOOK_LOOPBACK`: whether endpoints of test mode may be on this machine, over plain http.
    pub webhook_loopback: bool,
    /// `STANDARD_PLAN_ID` and `HIGH_PLAN_ID`: usage plans of the gateway.
    pub plan_ids: PlanIds,
    /// `STACK_NAME`: the deployment, the one dimension of its metrics. Without it the metrics are those of `local`: a
    /// wrong name on a graph is no reason to refuse payments.
    pub stack: String,
    /// `LOG_LEVEL`: error, warn, info, debug.
    pub log_level: String,
    /// `AWS_REGION`.
    pub region: String,
    /// `AWS_LAMBDA_FUNCTION_NAME`, for the log.
    pub function: String,
    /// `AWS_ENDPOINT_URL_DYNAMODB`, `_SQS`, `_API_GATEWAY`: where there is no AWS.
    pub endpoints: Endpoints,
}

/// Over how many partitions the index of due times is spread, by kind.
#[derive(Debug, Clone, Copy)]
pub struct DueShards {
    /// Payments and balances.
    pub money: u16,
    /// Events.
    pub events: u16,
    /// Deliveries.
    pub deliveries: u16,
}

/// The usage plans that a merchant's plan key can be in.
#[derive(Debug, Clone, Default)]
pub struct PlanIds {
    /// Of the ordinary rate.
    pub standard: String,
    /// Of the raised one.
    pub high: String,
}

/// Addresses that replace AWS's own.
#[derive(Debug, Clone, Default)]
pub struct Endpoints {
    /// Of the table.
    pub dynamodb: Option<String>,
    /// Of the queues.
    pub sqs: Option<String>,
    /// Of API Gateway's management.
    pub api_gateway: Option<String>,
}

/// A variable that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("the environment variable {name} must be {expected}, not {value:?}")]
pub struct SettingError {
    name: &'static str,
    expected: &'static str,
    value: String,
}

impl Settings {
    /// Reads the process's environment.
    pub fn from_env() -> Result<Settings, SettingError> {
        Settings::read(&|name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// Reads the variables that `get` gives.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Settings, SettingError> {
        let text = |name: &str, default: &str| get(name).unwrap_or_else(|| default.to_owned());
        let number = |name: &'static str, default: u32| match get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| SettingError { name, expected: "a whole number", value }),
        };
        let shards = |name: &'static str, default: u16| match get(name) {
            None => Ok(default),
            Some(value) => value.parse().map_err(|_| SettingError { name, expected: "a number up to 65535", value }),
        };
        let numbers = |name: &'static str, default: &str| {
            let value = text(name, default);
            let parsed: Result<Vec<u32>, _> = value.split(',').map(|part| part.trim().parse()).collect();
            parsed.map_err(|_| SettingError { name, expected: "whole numbers with commas between", value })
        };
        Ok(Settings {
            table: text("TABLE_NAME", "spillway"),
            processor_queue_url: text("PROCESSOR_QUEUE_URL", ""),
            folds_queue_url: text("FOLDS_QUEUE_URL", ""),
            webhooks_queue_url: text("WEBHOOKS_QUEUE_URL", ""),
            store_deadline_ms: number("STORE_DEADLINE_MS", 3000)?,
            cache_s: number("CACHE_SECONDS", 60)?,
            due_shards: DueShards {
                money: shards("DUE_MONEY_SHARDS", 64)?,
                events: shards("DUE_EVENTS_SHARDS", 64)?,
                deliveries: shards("DUE_DELIVERIES_SHARDS", 16)?,
            },
            shards_ahead_s: number("SHARDS_AHEAD_SECONDS", 3600)?,
            first_due_s: number("FIRST_DUE_SECONDS", 120)?,
            claim_s: number("CLAIM_SECONDS", 120)?,
            fold_delay_s: number("FOLD_DELAY_SECONDS", 2)?,
            unknown_outcome: UnknownOutcomePolicy {
                waits_s: numbers("PROCESSOR_WAITS_SECONDS", "2,10,60,300,3600")?,
                repeatable_for_ms: i64::from(number("REPEATABLE_FOR_SECONDS", 82_800)?) * 1000,
                absent_again_ms: i64::from(number("ABSENT_AGAIN_SECONDS", 3600)?) * 1000,
                last_look_ms: i64::from(number("LAST_LOOK_SECONDS", 86_400)?) * 1000,
            },
            webhook_waits_s: numbers("WEBHOOK_WAITS_SECONDS", "5,300,1800,7200,18000,36000,50400,72000,86400")?,
            webhook_deadline_ms: number("WEBHOOK_DEADLINE_MS", 10_000)?,
            webhook_loopback: text("WEBHOOK_LOOPBACK", "false") == "true",
            plan_ids: PlanIds { standard: text("STANDARD_PLAN_ID", ""), high: text("HIGH_PLAN_ID", "") },
            stack: text("STACK_NAME", "local"),
            log_level: text("LOG_LEVEL", "info"),
            region: text("AWS_REGION", "us-east-1"),
            function: text("AWS_LAMBDA_FUNCTION_NAME", ""),
            endpoints: Endpoints {
                dynamodb: get("AWS_ENDPOINT_URL_DYNAMODB").or_else(|| get("AWS_ENDPOINT_URL")),
                sqs: get("AWS_ENDPOINT_URL_SQS").or_else(|| get("AWS_ENDPOINT_URL")),
                api_gateway: get("AWS_ENDPOINT_URL_API_GATEWAY").or_else(|| get("AWS_ENDPOINT_URL")),
            },
        })
    }
}

/// Milliseconds after which Lambda ends `authenticate` and whatever answers a request: their timeout in the template.
const TIMEOUT_MS: i64 = 10_000;

impl Settings {
    /// From when on no request that arrives at the gateway is accepted by what was before a change of a merchant or a
    /// key, whose write begins now. docs/decisions/0007 tells why it is so late.
    pub fn known_everywhere(&self, now: Timestamp) -> Timestamp {
        now.plus_millis(i64::from(self.store_deadline_ms) + self.remembered_ms() + CLOCK_SKEW_MS)
    }

    /// From when on shards are in force whose raise is written now: no sooner than `SHARDS_AHEAD_SECONDS` say, and not
    /// while a request can be under way that came with a copy of the merchant from before. Who reads fewer shards than
    /// are written to would give a wrong balance.
    ///
    /// Where nothing is remembered there are no copies but those of the requests that are under way at this moment, and
    /// `SHARDS_AHEAD_SECONDS` alone count: 0 beside it is for who knows that there are none, as tests do.
    pub fn shards_from(&self, now: Timestamp) -> Timestamp {
        let ahead = now.plus_seconds(self.shards_ahead_s);
        if self.cache_s == 0 { ahead } else { ahead.max(self.known_everywhere(now).plus_millis(TIMEOUT_MS)) }
    }

    /// Milliseconds for which requests may be let through on what the store said: the gateway remembers an answer of
    /// the authorizer from its end on, and that can be a whole timeout after the read.
    fn remembered_ms(&self) -> i64 {
        if self.cache_s == 0 { 0 } else { TIMEOUT_MS + i64::from(self.cache_s) * 1000 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parameters of the template by the names of their variables, with their defaults.
    fn template_defaults() -> std::collections::HashMap<String, String> {
        let template = include_str!("../../../../infra/template.yaml");
        let mut defaults = std::collections::HashMap::new();
        let mut parameter = String::new();
        for line in template.lines() {
            if let Some(name) = line.strip_prefix("  ").and_then(|line| line.strip_suffix(':')) {
                parameter = name.chars().fold(String::new(), |mut name, c| {
                    if c.is_uppercase() && !name.is_empty() {
                        name.push('_');
                    }
                    name.push(c.to_ascii_uppercase());
                    name
                });
            } else if let Some(value) = line.strip_prefix("    Default: ") {
                defaults.insert(parameter.clone(), value.trim_matches('"').to_owned());
            }
        }
        defaults
    }

    #[test]
    fn defaults_are_those_of_the_template() {
        let template = template_defaults();
        assert_eq!(template.get("STORE_DEADLINE_MS").map(String::as_str), Some("3000"));
        let from_template = Settings::read(&|name| template.get(name).cloned()).unwrap();
        assert_eq!(format!("{from_template:?}"), format!("{:?}", Settings::read(&|_| None).unwrap()));
    }

    #[test]
    fn a_wrong_value_is_named() {
        let wrong = Settings::read(&|name| (name == "WEBHOOK_WAITS_SECONDS").then(|| "1,x".to_owned()));
        assert_eq!(
            wrong.unwrap_err().to_string(),
            "the environment variable WEBHOOK_WAITS_SECONDS must be whole numbers with commas between, not \"1,x\""
        );
    }

    fn with(variables: &[(&str, &str)]) -> Settings {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::read(&value).unwrap()
    }

    #[test]
    fn a_change_is_known_everywhere_when_the_slowest_read_before_it_has_left_every_cache() {
        let (at, now) = (Timestamp::from_millis, Timestamp::from_millis(500));
        // 3 s for the write, 10 s for the authorizer that read just before it, 60 s in the cache, 1 s between clocks.
        assert_eq!(with(&[]).known_everywhere(now), at(74_500));
        assert_eq!(with(&[("STORE_DEADLINE_MS", "9000"), ("CACHE_SECONDS", "1")]).known_everywhere(now), at(21_500));
        // Where nothing is remembered, who arrives when it is written is asked about anew.
        assert_eq!(with(&[("CACHE_SECONDS", "0")]).known_everywhere(now), at(4_500));
    }

    #[test]
    fn raised_shards_are_in_force_when_no_request_reads_fewer() {
        let (at, now) = (Timestamp::from_millis, Timestamp::from_millis(500));
        assert_eq!(with(&[]).shards_from(now), at(3_600_500));
        // The 74 s of above, and 10 s for a request that arrived just before their end.
        assert_eq!(with(&[("SHARDS_AHEAD_SECONDS", "0")]).shards_from(now), at(84_500));
        assert_eq!(with(&[("SHARDS_AHEAD_SECONDS", "85")]).shards_from(now), at(85_500));
        let uncached = |ahead| with(&[("SHARDS_AHEAD_SECONDS", ahead), ("CACHE_SECONDS", "0")]);
        assert_eq!([uncached("0"), uncached("5")].map(|settings| settings.shards_from(now)), [now, at(5_500)]);
    }

    #[test]
    fn the_timeout_is_that_of_the_authorizer_and_of_every_reader_of_shards() {
        let template = include_str!("../../../../infra/template.yaml");
        let globals = template.split("\nGlobals:\n").nth(1).and_then(|rest| rest.split("\nResources:\n").next());
        assert!(globals.unwrap().contains(&format!("\n    Timeout: {}\n", TIMEOUT_MS / 1000)));
        for function in ["Authenticate", "GetBalance", "ListPayments", "ListBalanceTransactions"] {
            let block = template.split(&format!("\n  {function}:\n    Type: ")).nth(1).unwrap();
            let block = block.split(&format!("\n  {function}Logs:\n")).next().unwrap();
            assert!(!block.contains("Timeout:"), "{function}");
        }
    }
}
