//! What the black-box tests are held against: a stack of each test's own on this machine, or, where the environment
//! names one, a stack that is deployed. Here is only what can be done with both.

pub mod environment;
pub mod operator;
pub mod parameters;
pub mod system;

use std::ops::Deref;

use crate::client::Client;
use crate::options::Options;
use crate::stack::Stack;
use crate::template;

use environment::Deployed;
use system::{Merchant, System};

/// The system under test.
pub struct Target {
    system: System,
    /// The one key that there is, where no merchant can be made.
    only: Option<Client>,
    /// Ends when it is dropped.
    _own: Option<Stack>,
}

impl Deref for Target {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Target {
    /// The stack that the environment names, or one of this test's own with the parameters of a deployed one.
    pub async fn start() -> Target {
        match Deployed::named().unwrap_or_else(|sentence| panic!("{sentence}")) {
            Some(deployed) => Target { system: deployed.system, only: deployed.only, _own: None },
            None => {
                let stack = Stack::start(parameters::read().into_iter().fold(Options::new(), set)).await;
                Target { system: System::clone(&stack), only: None, _own: Some(stack) }
            }
        }
    }

    /// A client that may do everything in test mode: a new merchant's, or the only one that there is, whose merchant
    /// has more than this test's payments.
    pub async fn any_client(&self) -> Client {
        match &self.only {
            Some(client) => client.clone(),
            None => self.new_merchant().await.client,
        }
    }

    /// A new merchant on the plan whose limit is low enough to be reached.
    pub async fn limited_merchant(&self) -> Merchant {
        self.new_merchant_with(serde_json::json!({"plan": "standard"})).await
    }
}

fn set(options: Options, (name, value): (String, String)) -> Options {
    options.knob(&template::knob(&name), value)
}
