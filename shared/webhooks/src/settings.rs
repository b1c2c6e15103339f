//! The settings of webhooks.

use spillway_runtime::SettingError;
use spillway_runtime::settings::Environment;

/// Milliseconds of the table's calls for one message: six calls with the default `STORE_DEADLINE_MS`.
const CALLS_MS: u32 = 18_000;

/// The settings of a function that sends webhooks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `WEBHOOK_WAITS_SECONDS`: seconds to wait after the first, second, … failed attempt. After the last one the
    /// delivery is given up.
    pub waits_s: Vec<u32>,
    /// `WEBHOOK_DEADLINE_MS`: the longest time of one attempt, in milliseconds.
    pub deadline_ms: u32,
    /// Whether endpoints of test mode may be on this machine: see [`webhook_loopback`].
    pub loopback: bool,
}

impl Settings {
    /// Reads the settings. Errors if one is missing or wrong.
    pub fn read(environment: &Environment<'_>) -> Result<Settings, SettingError> {
        Ok(Settings {
            waits_s: environment.numbers("WEBHOOK_WAITS_SECONDS")?,
            deadline_ms: environment.number("WEBHOOK_DEADLINE_MS")?,
            loopback: webhook_loopback(environment)?,
        })
    }

    /// The longest time of the work on one message, in milliseconds: its attempt and the table's calls.
    pub fn message_ms(&self) -> u32 {
        self.deadline_ms.saturating_add(CALLS_MS)
    }
}

const LOOPBACK: SettingError = SettingError::Forbidden(
    "WEBHOOK_LOOPBACK is for stacks whose table is on this machine (AWS_ENDPOINT_URL_DYNAMODB), and never for \
     Lambda (LAMBDA_RUNTIME_DIR): a deployed function would call itself",
);

/// A variable that Lambda sets in every runtime. A function's configuration can't set, change or remove it
/// (<https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html>, "Reserved environment variables").
/// Neither the runner nor `cargo lambda watch` sets it.
const ON_LAMBDA: &str = "LAMBDA_RUNTIME_DIR";

/// `WEBHOOK_LOOPBACK`: whether endpoints of test mode may be on this machine, over plain http. The template does not
/// set it; local stacks do.
///
/// On Lambda, it would allow a merchant to make a function call its own Runtime API. So it is an error on Lambda, and
/// wherever the table is not on this machine.
pub fn webhook_loopback(environment: &Environment<'_>) -> Result<bool, SettingError> {
    let name = "WEBHOOK_LOOPBACK";
    match environment.optional(name).as_deref() {
        None | Some("false") => Ok(false),
        Some("true") if environment.optional(ON_LAMBDA).is_some() => Err(LOOPBACK),
        Some("true") if environment.has_local_table()? => Ok(true),
        Some("true") => Err(LOOPBACK),
        Some(value) => Err(SettingError::Wrong { name, expected: "true or false", value: value.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls `read` with an environment of these variables.
    fn with<T>(variables: &[(&str, &str)], read: impl Fn(&Environment<'_>) -> T) -> T {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(&Environment::new(&value))
    }

    /// So an invocation can take further messages as long as the attempts of its first batch last.
    #[test]
    fn the_templates_timeout_covers_two_messages_in_a_row() {
        let template = spillway_tests::Template::read();
        let number = |path: &[&str]| template.get(path).unwrap().as_u64().unwrap();
        let longest_ms = number(&["Parameters", "WebhookDeadlineMs", "MaxValue"]);
        let settings =
            Settings { waits_s: Vec::new(), deadline_ms: u32::try_from(longest_ms).unwrap(), loopback: false };
        let timeout_s = number(&["Resources", "DeliverWebhook", "Properties", "Timeout"]);
        assert!(timeout_s * 1000 >= longest_ms + u64::from(settings.message_ms()), "{timeout_s} s");
        // AWS: at least six times the function's timeout.
        let hidden_s = number(&["Resources", "WebhooksQueue", "Properties", "VisibilityTimeout"]);
        assert!(hidden_s >= 6 * timeout_s, "{hidden_s} s");
    }

    #[test]
    fn loopback_needs_a_local_table_and_is_refused_on_lambda() {
        let allowed = |table: &[(&str, &str)]| {
            let set = [&[("WEBHOOK_LOOPBACK", "true")], table].concat();
            with(&set, webhook_loopback).map_err(|error| error.to_string())
        };
        let [general, own] = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_DYNAMODB"];
        for url in ["http://127.0.0.1:4566", "http://[::1]:8000", "http://localhost:8000/"] {
            assert_eq!((allowed(&[(general, url)]), allowed(&[(own, url)])), (Ok(true), Ok(true)), "{url}");
        }
        let lambda = Err(LOOPBACK.to_string());
        assert_eq!(allowed(&[]), lambda, "as on Lambda");
        let elsewhere = "https://vpce-1.dynamodb.eu-central-1.vpce.amazonaws.com";
        assert_eq!(allowed(&[(general, elsewhere)]), lambda);
        // The table's own variable takes precedence over the general one.
        assert_eq!(allowed(&[(general, "http://127.0.0.1:4566"), (own, elsewhere)]), lambda);
        // On Lambda, a local table address does not help.
        assert_eq!(allowed(&[(own, "http://127.0.0.1:4566"), ("LAMBDA_RUNTIME_DIR", "/var/runtime")]), lambda);
        for off in [&[][..], &[("WEBHOOK_LOOPBACK", "false"), ("LAMBDA_RUNTIME_DIR", "/var/runtime")]] {
            assert!(!with(off, webhook_loopback).unwrap());
        }
        let wrong = with(&[("WEBHOOK_LOOPBACK", "yes")], webhook_loopback).unwrap_err();
        assert!(wrong.to_string().contains("must be true or false, not \"yes\""), "{wrong}");
    }
}
