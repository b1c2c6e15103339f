//! The target of black-box tests: a stack of each test's own, or the deployed one in the environment. It has only what
//! both offer.

pub mod environment;
pub mod parameters;

use std::ops::Deref;

use crate::client::Client;
use crate::options::Options;
use crate::stack::Stack;
use crate::template;

use crate::system::{Merchant, System};
use environment::Deployed;

/// The system under test.
pub struct Target {
    system: System,
    /// The only key, if no merchants can be created.
    only: Option<Client>,
    /// Dropped with the target.
    _own: Option<Stack>,
}

impl Deref for Target {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Target {
    /// The deployed stack in the environment, or the test's own with the same parameters.
    pub async fn start() -> Target {
        match Deployed::named().unwrap_or_else(|sentence| panic!("{sentence}")) {
            Some(deployed) => Target { system: deployed.system, only: deployed.only, _own: None },
            None => {
                let stack = Stack::start(parameters::read().into_iter().fold(Options::new(), set)).await;
                Target { system: System::clone(&stack), only: None, _own: Some(stack) }
            }
        }
    }

    /// A client with every scope in test mode: a new merchant's, or the only one, whose merchant may have other
    /// payments.
    pub async fn any_client(&self) -> Client {
        match &self.only {
            Some(client) => client.clone(),
            None => self.new_merchant().await.client,
        }
    }

    /// A new merchant on the plan whose limit a test can reach.
    pub async fn limited_merchant(&self) -> Merchant {
        self.new_merchant_with(serde_json::json!({"plan": "standard"})).await
    }
}

fn set(options: Options, (name, value): (String, String)) -> Options {
    options.knob(&template::knob(&name), value)
}
