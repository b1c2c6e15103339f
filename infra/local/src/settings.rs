//! The runner's settings: its own environment variables.

use std::path::PathBuf;

/// The runner's settings. The template's parameters are read together with the template.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `PORT`: where the API answers; 0: any free port.
    pub port: u16,
    /// `DATA`: the folder of all data.
    pub data: PathBuf,
    /// `FRESH=1`: starts with an empty state.
    pub fresh: bool,
    /// `TEMPLATE`: the template's file.
    pub template: PathBuf,
    /// `STACK_NAME`: the value of `AWS::StackName`.
    pub stack: String,
    /// `FUNCTIONS`: the folder of the functions' binaries.
    pub functions: PathBuf,
    /// `FUNCTION_ENV`: variables of every function beside those of the template, as `NAME=value NAME=value`.
    pub function_env: Vec<(String, String)>,
    /// `SETUP`: the program that prepares the stack before it is ready.
    pub setup: Option<PathBuf>,
    /// `DOCS_PAGE`: the HTML file that `GET /docs` answers with.
    pub page: Option<PathBuf>,
    /// `DYNAMODB_PORT`: where the table answers; 0: any free port.
    pub dynamodb_port: u16,
    /// `SQS_PORT`: where the queues answer; 0: any free port.
    pub sqs_port: u16,
    /// `STORE_URL`: the URL of the table for the functions, instead of the embedded table's own.
    pub store_url: Option<String>,
    /// `ROLES=off`: functions' calls are not checked against their roles, and go to the table directly.
    pub roles: bool,
    /// `QUEUE_DISORDER=1`: messages come out of order and twice.
    pub disorder: bool,
    /// `KILL_FUNCTIONS=1`: functions are killed at random between two calls.
    pub kills: bool,
    /// `CPU_SHARES=1`: each function gets the CPU that Lambda gives its memory.
    pub cpu_shares: bool,
    /// `REBUILD_COMMAND` and `REBUILD_SOURCES`: how and when the functions are built again.
    pub rebuild: Option<Rebuild>,
    /// `WATCH_URL`: a running `cargo lambda watch` that runs the functions.
    pub watch_url: Option<String>,
}

/// How the functions are built again while the stack runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebuild {
    /// A command for the shell.
    pub command: String,
    /// Files and folders; a change of a source file in one of them starts the build.
    pub sources: Vec<PathBuf>,
}

/// A variable with an invalid value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    #[error("{name} is {value}, which is no port (0 to 65535)")]
    Port { name: &'static str, value: String },
    #[error("{name} is {value}; use 1 for yes and 0 for no")]
    Flag { name: &'static str, value: String },
    #[error("FUNCTION_ENV has {0}; use NAME=value, with spaces between several")]
    FunctionEnv(String),
}

impl Settings {
    /// The settings that `variable` gives. `beside` is the folder of the runner's own binary.
    pub fn read(variable: &dyn Fn(&str) -> Option<String>, beside: PathBuf) -> Result<Self, SettingsError> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let port = |name, default| match set(name) {
            Some(value) => value.parse().map_err(|_| SettingsError::Port { name, value }),
            None => Ok(default),
        };
        let flag = |name, default| match set(name).as_deref() {
            None => Ok(default),
            Some("0" | "false" | "off") => Ok(false),
            Some("1" | "true" | "on") => Ok(true),
            Some(value) => Err(SettingsError::Flag { name, value: value.to_owned() }),
        };
        let path = |name, default: PathBuf| set(name).map_or(default, PathBuf::from);
        let words = |name| set(name).unwrap_or_default().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let pair = |word: String| match word.split_once('=') {
            Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
            None => Err(SettingsError::FunctionEnv(word)),
        };
        Ok(Self {
            port: port("PORT", 9000)?,
            data: path("DATA", ".local".into()),
            fresh: flag("FRESH", false)?,
            template: path("TEMPLATE", "template.yaml".into()),
            stack: set("STACK_NAME").unwrap_or_else(|| "local".to_owned()),
            functions: path("FUNCTIONS", beside),
            function_env: words("FUNCTION_ENV").into_iter().map(pair).collect::<Result<_, _>>()?,
            setup: set("SETUP").map(PathBuf::from),
            page: set("DOCS_PAGE").map(PathBuf::from),
            dynamodb_port: port("DYNAMODB_PORT", 0)?,
            sqs_port: port("SQS_PORT", 0)?,
            store_url: set("STORE_URL"),
            roles: flag("ROLES", true)?,
            disorder: flag("QUEUE_DISORDER", false)?,
            kills: flag("KILL_FUNCTIONS", false)?,
            cpu_shares: flag("CPU_SHARES", false)?,
            rebuild: set("REBUILD_COMMAND").map(|command| {
                let sources = words("REBUILD_SOURCES").into_iter().map(PathBuf::from).collect();
                Rebuild { command, sources }
            }),
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
    fn unset_variables_have_defaults() {
        let settings = read("PORT", "").unwrap();
        assert_eq!((settings.port, settings.sqs_port, settings.stack.as_str()), (9000, 0, "local"));
        assert_eq!(settings.functions, PathBuf::from("target/debug"));
        assert!(!settings.fresh && !settings.disorder && !settings.kills && !settings.cpu_shares && settings.roles);
        assert_eq!((settings.rebuild, settings.setup, settings.page), (None, None, None));
    }

    #[test]
    fn function_env_holds_variables_of_every_function() {
        let settings = read("FUNCTION_ENV", "LOG=debug  URL=http://h/?a=b EMPTY=").unwrap();
        let expected = [("LOG", "debug"), ("URL", "http://h/?a=b"), ("EMPTY", "")];
        assert_eq!(settings.function_env, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn an_invalid_value_is_an_error() {
        for (name, value, expected) in [
            ("PORT", "900000", "PORT is 900000, which is no port (0 to 65535)"),
            ("FRESH", "maybe", "FRESH is maybe; use 1 for yes and 0 for no"),
            ("FUNCTION_ENV", "A=1 debug", "FUNCTION_ENV has debug; use NAME=value, with spaces between several"),
        ] {
            assert_eq!(read(name, value).unwrap_err().to_string(), expected);
        }
    }
}
