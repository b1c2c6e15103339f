//! Processors: who really moves the money. Each file knows the units and the words of one.

mod sandbox;

use std::fmt;

use spillway_domain::payment::{Authorization, Found, Payment, UnknownOutcomePolicy};
use spillway_domain::tenant::Mode;

use crate::runtime::Start;
use crate::store::Store;
use sandbox::Sandbox;

/// The name of the processor that takes payments of this mode. None if there is none.
pub fn for_mode(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::Test => Some(sandbox::NAME),
        Mode::Live => None,
    }
}

/// Whether the processor of this mode can know this token.
pub fn knows_token(mode: Mode, token: &str) -> bool {
    match mode {
        Mode::Test => sandbox::knows_token(token),
        // Only the live processor itself can tell.
        Mode::Live => true,
    }
}

/// The processors of one deployment.
pub struct Processors {
    sandbox: Sandbox,
}

impl fmt::Debug for Processors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Processors")
    }
}

impl Processors {
    /// The sandbox alone so far.
    pub fn new(start: &Start<'_>, store: &Store, policy: &UnknownOutcomePolicy) -> Processors {
        Processors { sandbox: Sandbox::new(store.clone(), policy.repeatable_for_ms, start.outside) }
    }

    /// Authorizes and captures at once, under the payment's own idempotency key.
    pub async fn authorize(&self, payment: &Payment) -> Authorization {
        match self.of(payment) {
            Some(sandbox) => sandbox.authorize(payment, &payment.authorization_key()).await,
            None => Authorization::Unknown,
        }
    }

    /// Looks for a charge under the payment's id.
    pub async fn look_up(&self, payment: &Payment) -> Found {
        match self.of(payment) {
            Some(sandbox) => sandbox.look_up(payment).await,
            None => Found::Unknown,
        }
    }

    /// Gives back a charge of a payment that has failed. False if the processor did not confirm it.
    pub async fn undo(&self, payment: &Payment) -> bool {
        match self.of(payment) {
            Some(sandbox) => sandbox.undo(payment, &payment.undo_key()).await,
            None => false,
        }
    }

    /// The processor that the payment was accepted for, whatever the settings say now.
    fn of(&self, payment: &Payment) -> Option<&Sandbox> {
        if payment.processor == sandbox::NAME {
            return Some(&self.sandbox);
        }
        tracing::error!(payment = %payment.id, processor = %payment.processor, "no such processor is configured");
        None
    }
}
