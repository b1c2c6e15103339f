//! Reading environment variables, with the variables that several parts share.
//!
//! Each part of a function reads its variables when the function starts ([`super::Parts`]). `infra/template.yaml` gives
//! each function these variables and no others. The code has no default values: they are in the template. Each
//! parameter of the template (in CamelCase there) can be set locally: `make dev NAME=value`.

use std::fmt;
use std::time::Duration;

use tracing_subscriber::filter::LevelFilter;
use url::{Host, Url};

/// An environment variable with which a function can't start.
#[derive(thiserror::Error)]
pub enum SettingError {
    /// The variable is missing or empty.
    #[error(
        "{0} is not set. Run the stack with \"make dev\", then: \
         cargo lambda watch --env-file .local/functions.env --invoke-port 9001"
    )]
    Missing(&'static str),
    /// The variable has a value that is not allowed.
    #[error("the environment variable {name} must be {expected}, not {value:?}")]
    Wrong {
        /// The variable's name.
        name: &'static str,
        /// The values that are allowed, as a phrase behind "must be".
        expected: &'static str,
        /// The value that was found.
        value: String,
    },
    /// The variable must not be set in this environment, for the reason in the text.
    #[error("{0}")]
    Forbidden(&'static str),
}

/// A `main` that returns an error prints its `Debug` form.
impl fmt::Debug for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The environment variables of a function.
#[derive(Clone, Copy)]
pub struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Environment<'a> {
    /// The environment whose variables `get` returns by name.
    pub fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Environment<'a> {
        Environment(get)
    }

    /// An optional variable. None if it is missing or empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    /// A variable as text. Errors if it is missing or empty.
    pub fn text(&self, name: &'static str) -> Result<String, SettingError> {
        self.optional(name).ok_or(SettingError::Missing(name))
    }

    /// A whole number. Errors if the variable is missing or no whole number.
    pub fn number(&self, name: &'static str) -> Result<u32, SettingError> {
        let value = self.text(name)?;
        value.parse().map_err(|_| SettingError::Wrong { name, expected: "a whole number", value })
    }

    /// Whole numbers separated by commas. Errors if the variable is missing or anything else.
    pub fn numbers(&self, name: &'static str) -> Result<Vec<u32>, SettingError> {
        let value = self.text(name)?;
        let parsed: Result<Vec<u32>, _> = value.split(',').map(|part| part.trim().parse()).collect();
        parsed.map_err(|_| SettingError::Wrong { name, expected: "whole numbers with commas between", value })
    }

    /// `STORE_DEADLINE_MS`: the longest time of one store operation with all its retries.
    pub fn store_deadline(&self) -> Result<Duration, SettingError> {
        self.number("STORE_DEADLINE_MS").map(|ms| Duration::from_millis(u64::from(ms)))
    }

    /// The address that replaces an AWS service's own address: the value of `variable`, or else of `AWS_ENDPOINT_URL`.
    /// None if neither is set. Errors if it is plain http to another machine, because credentials and payments are sent
    /// there.
    pub fn service_address(&self, variable: &'static str) -> Result<Option<Url>, SettingError> {
        let set = [variable, "AWS_ENDPOINT_URL"].into_iter().find_map(|name| Some((name, self.optional(name)?)));
        let Some((name, value)) = set else { return Ok(None) };
        match Url::parse(&value) {
            Ok(url)
                if url.scheme() == "https"
                    || (url.scheme() == "http" && url.host().as_ref().is_some_and(is_loopback)) =>
            {
                Ok(Some(url))
            }
            _ => Err(SettingError::Wrong { name, expected: "an https:// address, or one of this machine", value }),
        }
    }

    /// Whether the table is on this machine, as in a local stack. Errors if its address is not allowed.
    pub fn has_local_table(&self) -> Result<bool, SettingError> {
        Ok(self.service_address(DYNAMODB)?.is_some_and(|url| url.host().as_ref().is_some_and(is_loopback)))
    }
}

/// The variable that replaces DynamoDB's address.
pub const DYNAMODB: &str = "AWS_ENDPOINT_URL_DYNAMODB";

/// Whether this host is this machine.
pub fn is_loopback<S: AsRef<str>>(host: &Host<S>) -> bool {
    match host {
        Host::Domain(name) => name.as_ref() == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// The settings that every function reads.
#[derive(Debug)]
pub struct Process {
    /// `STACK_NAME`: the name of the deployment, which is the only dimension of its metrics.
    pub stack: String,
    /// `LOG_LEVEL`: less severe log lines are not written.
    pub log_level: LevelFilter,
    /// `AWS_LAMBDA_FUNCTION_NAME`, for the log. Lambda sets it.
    pub function: String,
}

impl Process {
    /// Reads the settings. Errors if one is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Process, SettingError> {
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

#[cfg(test)]
mod tests;
