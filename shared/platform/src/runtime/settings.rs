//! Every environment variable that Spillway's functions read, in groups of what is read together.
//!
//! Each part of a function reads what it needs when the function starts ([`super::Parts`]), and `infra/template.yaml`
//! gives each function those variables and no others. None has a default here: the template's is the only one. Each
//! parameter of the template (in CamelCase there) can be set locally: `make dev NAME=value`.

use std::fmt;
use std::time::Duration;

use spillway_domain::operation::{CLOCK_SKEW_MS, UnknownOutcomePolicy};
use spillway_domain::time::Timestamp;
use tracing_subscriber::filter::LevelFilter;
use url::{Host, Url};

/// A variable without which a function does not start, or that it can't use.
#[derive(thiserror::Error)]
pub enum SettingError {
    /// It is missing or empty.
    #[error(
        "{0} is not set. Run the stack with \"make dev\", then: \
         cargo lambda watch --env-file .local/functions.env --invoke-port 9001"
    )]
    Missing(&'static str),
    /// It can't be what it is.
    #[error("the environment variable {name} must be {expected}, not {value:?}")]
    Wrong {
        /// Which.
        name: &'static str,
        /// What it may be.
        expected: &'static str,
        /// What it is.
        value: String,
    },
    /// Webhooks may go to this machine, but this is Lambda, or the table is elsewhere: this is no local stack.
    #[error(
        "WEBHOOK_LOOPBACK is for stacks whose table is on this machine (AWS_ENDPOINT_URL_DYNAMODB), and never for \
         Lambda (LAMBDA_RUNTIME_DIR): a deployed function would call itself"
    )]
    Loopback,
}

/// A `main` that returns an error prints it by this.
impl fmt::Debug for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The environment of a function.
#[derive(Clone, Copy)]
pub struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

impl<'a> Environment<'a> {
    /// The variables that `get` gives.
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Environment<'a> {
        Environment(get)
    }

    /// A variable that need not be there. None if it is empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable as it is.
    pub fn text(&self, name: &'static str) -> Result<String, SettingError> {
        self.optional(name).ok_or(SettingError::Missing(name))
    }

    /// A variable that is a whole number.
    pub fn number(&self, name: &'static str) -> Result<u32, SettingError> {
        let value = self.text(name)?;
        value.parse().map_err(|_| SettingError::Wrong { name, expected: "a whole number", value })
    }

    /// A variable that is a list of whole numbers.
    fn numbers(&self, name: &'static str) -> Result<Vec<u32>, SettingError> {
        let value = self.text(name)?;
        let parsed: Result<Vec<u32>, _> = value.split(',').map(|part| part.trim().parse()).collect();
        parsed.map_err(|_| SettingError::Wrong { name, expected: "whole numbers with commas between", value })
    }
}

/// What every function reads.
#[derive(Debug)]
pub(super) struct Process {
    /// `STACK_NAME`: the deployment, the one dimension of its metrics.
    pub stack: String,
    /// `LOG_LEVEL`: the least severe line that is written.
    pub log_level: LevelFilter,
    /// `AWS_LAMBDA_FUNCTION_NAME`, for the log. Lambda sets it.
    pub function: String,
}

impl Process {
    pub(super) fn read(environment: &Environment<'_>) -> Result<Process, SettingError> {
        let (name, level) = ("LOG_LEVEL", environment.text("LOG_LEVEL")?);
        let wrong =
            |_| SettingError::Wrong { name, expected: "error, warn, info, debug or trace", value: level.clone() };
        Ok(Process {
            stack: environment.text("STACK_NAME")?,
            log_level: level.parse().map_err(wrong)?,
            function: environment.optional("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
        })
    }
}

/// What every client of AWS reads beside what aws-config does (`AWS_REGION` and the credentials, which Lambda sets).
#[derive(Debug)]
pub(super) struct Aws {
    /// `STORE_DEADLINE_MS`: for one operation with all its retries.
    pub deadline: Duration,
    /// The address of the service that takes the place of AWS's own, where there is no AWS.
    pub endpoint: Option<String>,
}

// The variables that replace the addresses of AWS's services.
pub(super) const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";
pub(super) const SQS: &str = "AWS_ENDPOINT_URL_SQS";
pub(super) const API_GATEWAY: &str = "AWS_ENDPOINT_URL_API_GATEWAY";

impl Aws {
    /// For the service whose address the variable `endpoint` replaces.
    pub(super) fn read(environment: &Environment<'_>, endpoint: &'static str) -> Result<Aws, SettingError> {
        Ok(Aws {
            deadline: store_deadline(environment)?,
            endpoint: endpoint_of(environment, endpoint)?.map(|url| url.as_str().trim_end_matches('/').to_owned()),
        })
    }
}

/// An address in place of AWS's own. What is sent there is not for others' ears: only this machine is called over plain
/// http.
fn endpoint_of(environment: &Environment<'_>, service: &'static str) -> Result<Option<Url>, SettingError> {
    let set = [service, "AWS_ENDPOINT_URL"].into_iter().find_map(|name| Some((name, environment.optional(name)?)));
    let Some((name, value)) = set else { return Ok(None) };
    match Url::parse(&value) {
        Ok(url) if url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url)) => Ok(Some(url)),
        _ => Err(SettingError::Wrong { name, expected: "an https:// address, or one of this machine", value }),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `STORE_DEADLINE_MS`: for one store operation with all its retries.
pub(crate) fn store_deadline(environment: &Environment<'_>) -> Result<Duration, SettingError> {
    environment.number("STORE_DEADLINE_MS").map(|ms| Duration::from_millis(u64::from(ms)))
}

/// The usage plans of the gateway.
#[derive(Debug, Clone)]
pub struct PlanIds {
    /// `STANDARD_PLAN_ID`: of the ordinary rate.
    pub standard: String,
    /// `HIGH_PLAN_ID`: of the raised one.
    pub high: String,
}

impl PlanIds {
    /// Reads them.
    pub fn read(environment: &Environment<'_>) -> Result<PlanIds, SettingError> {
        Ok(PlanIds { standard: environment.text("STANDARD_PLAN_ID")?, high: environment.text("HIGH_PLAN_ID")? })
    }
}

/// How long and how often the processor is asked what became of a charge.
pub fn unknown_outcome(environment: &Environment<'_>) -> Result<UnknownOutcomePolicy, SettingError> {
    let milliseconds = |name| environment.number(name).map(|seconds| i64::from(seconds) * 1000);
    Ok(UnknownOutcomePolicy {
        waits_s: environment.numbers("PROCESSOR_WAITS_SECONDS")?,
        repeatable_for_ms: milliseconds("REPEATABLE_FOR_SECONDS")?,
        absent_again_ms: milliseconds("ABSENT_AGAIN_SECONDS")?,
        last_look_ms: milliseconds("LAST_LOOK_SECONDS")?,
    })
}

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// `WEBHOOK_WAITS_SECONDS`: after the first, second, … failed attempt; then it is given up.
    pub waits_s: Vec<u32>,
    /// `WEBHOOK_DEADLINE_MS`: for one attempt.
    pub deadline_ms: u32,
    /// See [`webhook_loopback`].
    pub loopback: bool,
}

impl Webhooks {
    /// Reads them.
    pub fn read(environment: &Environment<'_>) -> Result<Webhooks, SettingError> {
        Ok(Webhooks {
            waits_s: environment.numbers("WEBHOOK_WAITS_SECONDS")?,
            deadline_ms: environment.number("WEBHOOK_DEADLINE_MS")?,
            loopback: webhook_loopback(environment)?,
        })
    }
}

/// A variable that Lambda itself sets in every runtime, and that no function's configuration can set, change or remove
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>, "Reserved environment variables"). Neither
/// the runner nor `cargo lambda watch` sets it.
const ON_LAMBDA: &str = "LAMBDA_RUNTIME_DIR";

/// `WEBHOOK_LOOPBACK`: whether endpoints of test mode may be on this machine, over plain http. The template does not
/// give it; local stacks set it.
///
/// A function on Lambda could be made to call its own Runtime API by it. So it is an error on Lambda, and wherever the
/// table is not on this machine too.
pub fn webhook_loopback(environment: &Environment<'_>) -> Result<bool, SettingError> {
    let name = "WEBHOOK_LOOPBACK";
    match environment.optional(name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") if environment.optional(ON_LAMBDA).is_some() => Err(SettingError::Loopback),
        Some("true") => match endpoint_of(environment, DYNAMODB)? {
            Some(url) if is_loopback(&url) => Ok(true),
            _ => Err(SettingError::Loopback),
        },
        Some(value) => Err(SettingError::Wrong { name, expected: "true or false", value: value.to_owned() }),
    }
}

/// Milliseconds after which Lambda ends `authenticate` and whatever answers a request: their timeout in the template.
const TIMEOUT_MS: i64 = 10_000;

/// How long what was read of a merchant or a key may be believed after it has changed.
#[derive(Debug, Clone, Copy)]
pub struct Remembered {
    /// `STORE_DEADLINE_MS`, which a write may take.
    store_deadline: Duration,
    /// `CACHE_SECONDS`, for which the gateway remembers the authorizer's answer.
    cache_s: u32,
}

impl Remembered {
    /// Reads it.
    pub fn read(environment: &Environment<'_>) -> Result<Remembered, SettingError> {
        Ok(Remembered { store_deadline: store_deadline(environment)?, cache_s: environment.number("CACHE_SECONDS")? })
    }

    /// The time from which every request sees a change of a merchant or a key whose write begins now.
    /// docs/decisions/0007 tells why it is so late.
    pub fn known_everywhere(&self, now: Timestamp) -> Timestamp {
        let write_ms = i64::try_from(self.store_deadline.as_millis()).unwrap_or(i64::MAX);
        now.plus_millis(write_ms + self.remembered_ms() + CLOCK_SKEW_MS)
    }

    /// Milliseconds for which requests may be let through on what the store said: the gateway remembers an answer of
    /// the authorizer from its end on, and that can be a whole timeout after the read.
    fn remembered_ms(&self) -> i64 {
        if self.cache_s == 0 { 0 } else { TIMEOUT_MS + i64::from(self.cache_s) * 1000 }
    }
}

/// When a raise of a merchant's shards comes into force.
#[derive(Debug, Clone, Copy)]
pub struct ShardsAhead {
    remembered: Remembered,
    /// `SHARDS_AHEAD_SECONDS`: from the raise on, at least.
    seconds: u32,
}

impl ShardsAhead {
    /// Reads it.
    pub fn read(environment: &Environment<'_>) -> Result<ShardsAhead, SettingError> {
        let seconds = environment.number("SHARDS_AHEAD_SECONDS")?;
        Ok(ShardsAhead { remembered: Remembered::read(environment)?, seconds })
    }

    /// From when on shards are in force whose raise is written now: no sooner than `SHARDS_AHEAD_SECONDS` say, and not
    /// while a request can be under way that came with a copy of the merchant from before. A reader of fewer shards than
    /// are written to would give a wrong balance.
    ///
    /// Where nothing is remembered there are no copies but those of the requests that are under way at this moment, and
    /// `SHARDS_AHEAD_SECONDS` alone count. The template takes no fewer than outlast every request; tests do, which know
    /// that there is none.
    pub fn shards_from(&self, now: Timestamp) -> Timestamp {
        let ahead = now.plus_seconds(self.seconds);
        if self.remembered.cache_s == 0 {
            return ahead;
        }
        ahead.max(self.remembered.known_everywhere(now).plus_millis(TIMEOUT_MS))
    }
}

#[cfg(test)]
mod tests;
