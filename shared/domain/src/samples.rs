//! Samples for the tests of payments, refunds and operations.

use std::collections::BTreeMap;

use crate::currency::Currency;
use crate::fee::{Pricing, Terms};
use crate::id::{MerchantId, PaymentId};
use crate::idempotency::Fingerprint;
use crate::money::Minor;
use crate::operation::{PaymentMethod, Receipt, UnknownOutcomePolicy};
use crate::payment::{CaptureMethod, NewPayment, Payment};
use crate::resource::{Cause, Meta};
use crate::tenant::{Mode, Tenant};
use crate::time::Timestamp;

/// An hour in milliseconds.
pub const HOUR: i64 = 3_600_000;

/// The time of acceptance in all samples.
pub fn noon() -> Timestamp {
    Timestamp::parse("2026-01-31T12:00:00Z").unwrap()
}

/// Waits of ten seconds, a minute and a day. The processor stores idempotency keys for a day.
pub fn policy() -> UnknownOutcomePolicy {
    UnknownOutcomePolicy {
        waits_s: vec![10, 60, 86_400],
        repeatable_for_ms: 24 * HOUR,
        absent_again_ms: HOUR,
        last_look_ms: 24 * HOUR,
    }
}

pub fn cause(at: Timestamp) -> Cause {
    Cause { request_id: "req-1".to_owned(), trace: None, fingerprint: Fingerprint::of(b"{}"), at }
}

/// A charge of a Visa card.
pub fn receipt() -> Receipt {
    let method = PaymentMethod { method_type: "card".to_owned(), brand: "visa".to_owned(), last4: "4242".to_owned() };
    Receipt { reference: "ch_1".to_owned(), method: Some(method) }
}

/// A fee of 2.9 % and 30 minor units; two days to the value date.
pub fn terms() -> Terms {
    Terms { pricing: Pricing { fee_basis_points: 290, fee_fixed: Minor::new(30) }, settlement_delay_days: 2 }
}

/// A payment of `amount` minor units, accepted at noon.
pub fn payment(shard: u16, amount: i64, currency: &str) -> Payment {
    let new = NewPayment {
        amount: Minor::new(amount),
        currency: Currency::parse(currency).unwrap(),
        token: "tok_visa".to_owned(),
        capture_method: CaptureMethod::Automatic,
        description: None,
        reference: None,
        customer: None,
        metadata: BTreeMap::new(),
    };
    let owner = Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test };
    Payment::accept(Meta::new(PaymentId::derive(&["p"]), owner, shard, cause(noon())), new, "sandbox".to_owned())
}
