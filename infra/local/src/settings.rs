//! What the runner is told: its own environment variables.

use std::path::PathBuf;

/// The runner's settings. The template's parameters are read where the template is.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `PORT`: where the API answers; 0: any free port.
    pub port: u16,
    /// `DATA`: the folder of everything that is kept.
    pub data: PathBuf,
    /// `FRESH=1`: begin with an empty state.
    pub fresh: bool,
    /// `TEMPLATE`: the template's file.
    pub template: PathBuf,
    /// `FUNCTIONS`: the folder of the functions' binaries.
    pub functions: PathBuf,
    /// `DYNAMODB_PORT`: where the table answers; 0: any free port.
    pub dynamodb_port: u16,
    /// `SQS_PORT`: where the queues answer; 0: any free port.
    pub sqs_port: u16,
    /// `STORE_URL`: the table that the functions are given instead of the embedded one.
    pub store_url: Option<String>,
    /// `ROLES=off`: functions may do everything, and ask the table without the step between that checks their roles.
    pub roles: bool,
    /// `WEBHOOK_LOOPBACK=0`: endpoints of test mode may not be on this machine, as on AWS.
    pub webhook_loopback: bool,
    /// `QUEUE_DISORDER=1`: messages come out of order and twice.
    pub disorder: bool,
    /// `KILL_FUNCTIONS=1`: functions are killed at random between two calls.
    pub kills: bool,
    /// `REBUILD=1`: build again when a source file changes.
    pub rebuild: bool,
    /// `WATCH_URL`: a running `cargo lambda watch` that has the functions.
    pub watch_url: Option<String>,
}

/// A variable that cannot be what it is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    #[error("{name} is {value}, which is no port (0 to 65535)")]
    Port { name: &'static str, value: String },
    #[error("{name} is {value}; use 1 for yes and 0 for no")]
    Flag { name: &'static str, value: String },
    #[error("{name} is {value}; use on or off")]
    Switch { name: &'static str, value: String },
}

impl Settings {
    /// The settings that `variable` gives. `beside` is the folder of the runner's own binary.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>, beside: PathBuf) -> Result<Self, SettingsError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let port = |name, default| match set(name) {
            Some(value) => value.parse().map_err(|_| SettingsError::Port { name, value }),
            None => Ok(default),
        };
        let flag = |name| match set(name).as_deref() {
            None | Some("0" | "false") => Ok(false),
            Some("1" | "true") => Ok(true),
            Some(value) => Err(SettingsError::Flag { name, value: value.to_owned() }),
        };
        let path = |name, default: PathBuf| set(name).map_or(default, PathBuf::from);
        Ok(Self {
            port: port("PORT", 9000)?,
            data: path("DATA", ".local".into()),
            fresh: flag("FRESH")?,
            template: path("TEMPLATE", "infra/template.yaml".into()),
            functions: path("FUNCTIONS", beside),
            dynamodb_port: port("DYNAMODB_PORT", 0)?,
            sqs_port: port("SQS_PORT", 0)?,
            store_url: set("STORE_URL"),
            roles: match set("ROLES").as_deref() {
                None | Some("on") => true,
                Some("off") => false,
                Some(value) => return Err(SettingsError::Switch { name: "ROLES", value: value.to_owned() }),
            },
            webhook_loopback: set("WEBHOOK_LOOPBACK").is_none() || flag("WEBHOOK_LOOPBACK")?,
            disorder: flag("QUEUE_DISORDER")?,
            kills: flag("KILL_FUNCTIONS")?,
            rebuild: flag("REBUILD")?,
            watch_url: set("WATCH_URL"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Settings, SettingsError> {
        let variable = |asked: &str| (asked == name).then(|| value.to_owned());
        Settings::read(&variable, "target/debug".into())
    }

    #[test]
    fn nothing_set_is_the_usual_stack() {
        let settings = read("PORT", "").unwrap();
        assert_eq!((settings.port, settings.sqs_port), (9000, 0));
        assert_eq!(settings.functions, PathBuf::from("target/debug"));
        assert!(!settings.fresh && !settings.rebuild && !settings.disorder && !settings.kills && settings.roles);
        assert!(settings.webhook_loopback && !read("WEBHOOK_LOOPBACK", "0").unwrap().webhook_loopback);
    }

    #[test]
    fn a_value_that_makes_no_sense_is_an_error() {
        let error = read("PORT", "900000").unwrap_err().to_string();
        assert_eq!(error, "PORT is 900000, which is no port (0 to 65535)");
        let error = read("FRESH", "maybe").unwrap_err().to_string();
        assert_eq!(error, "FRESH is maybe; use 1 for yes and 0 for no");
        let error = read("ROLES", "some").unwrap_err().to_string();
        assert_eq!(error, "ROLES is some; use on or off");
    }
}
