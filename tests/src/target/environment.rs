//! The deployed stack in the environment's variables.
//!
//! | variable | |
//! |---|---|
//! | `SPILLWAY_URL` | where its API answers, `…/v1` |
//! | `SPILLWAY_LAMBDA_URL` | where Lambda's API answers; each test then makes merchants of its own |
//! | `SPILLWAY_STACK`, `SPILLWAY_REGION` | the stack's name, which its functions' names begin with, and its region |
//! | `SPILLWAY_PLAN_KEY_HEADER` | 1 where the gateway reads a merchant's plan key from the header `x-api-key` |
//! | `SPILLWAY_PANIC_URL` | where the function answers that panics for the tests, if it is deployed |
//! | `SPILLWAY_KEY`, `SPILLWAY_PLAN_KEY` | without Lambda's API: a test key with every scope, and such a header's value |

use std::env;

use crate::client::{self, Client};

use crate::system::System;
use crate::system::operator::Operator;

/// Prefix of test keys.
const TEST_KEY: &str = "sk_test_";

/// A deployed stack.
pub struct Deployed {
    /// Access to it.
    pub system: System,
    /// Client of the given key, if no merchants can be created.
    pub only: Option<Client>,
}

impl Deployed {
    /// The stack in the environment's variables, if there is one; `Err` is a sentence.
    pub fn named() -> Result<Option<Deployed>, String> {
        let Some(url) = variable("SPILLWAY_URL") else { return Ok(None) };
        let url = url.trim_end_matches('/');
        let http = client::http_to(url);
        if let Some(lambda) = variable("SPILLWAY_LAMBDA_URL") {
            let operator = Operator::new(&http, lambda.trim_end_matches('/'));
            let operator = variable("SPILLWAY_STACK").iter().fold(operator, |operator, name| operator.of_stack(name));
            let operator = variable("SPILLWAY_REGION").into_iter().fold(operator, Operator::in_region);
            let sends = variable("SPILLWAY_PLAN_KEY_HEADER").is_some_and(|value| value == "1");
            let operator = if sends { operator.sending_plan_keys() } else { operator };
            return Ok(Some(Deployed { system: System::new(&http, url, Some(operator)), only: None }));
        }
        let key =
            variable("SPILLWAY_KEY").ok_or("SPILLWAY_URL needs SPILLWAY_LAMBDA_URL or SPILLWAY_KEY beside it.")?;
        Deployed::with_key(url, &key, variable("SPILLWAY_PLAN_KEY")).map(Some)
    }

    /// The stack whose API answers at `url`, with only this key; `Err` is a sentence.
    pub fn with_key(url: &str, key: &str, plan_key: Option<String>) -> Result<Deployed, String> {
        if !url.starts_with("https://") && !url.starts_with("http://") {
            return Err(format!("{url} is no address: it must begin with https:// or http://."));
        }
        if !key.starts_with(TEST_KEY) {
            return Err(format!("The key does not begin with {TEST_KEY}: only test mode is touched."));
        }
        let system = System::new(&client::http_to(url), url, None);
        let only = Some(system.client(key).with_plan_key(plan_key).waiting_its_turn());
        Ok(Deployed { system, only })
    }
}

/// A client of the function that panics on demand, below `url`. It needs no key.
pub fn panic_client(url: &str) -> Client {
    Client::new(&client::http_to(url), url.trim_end_matches('/'), "")
}

/// A variable that is not empty.
pub fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}
