use std::collections::BTreeMap;

use spillway_domain::currency::Currency;
use spillway_domain::id::{MerchantId, PaymentId};
use spillway_domain::idempotency::Fingerprint;
use spillway_domain::money::Minor;
use spillway_domain::operation::{Ending, Failure, HasOperation as _, UnknownOutcomePolicy};
use spillway_domain::payment::{CaptureMethod, NewPayment, Payment};
use spillway_domain::resource::{Cause, Meta};
use spillway_domain::tenant::Mode;
use spillway_domain::time::Timestamp;

use super::*;

fn tenant(merchant: &str, mode: Mode) -> Tenant {
    Tenant { merchant: MerchantId::derive(&[merchant]), mode }
}

fn id(number: &str) -> PaymentId {
    PaymentId::derive(&[number])
}

/// A payment of the merchant `m` with the id `p`. It waits for its processor.
fn processing() -> Payment {
    let at = Timestamp::from_millis(0);
    let cause = Cause { request_id: "req-1".to_owned(), trace: None, fingerprint: Fingerprint::of(b"{}"), at };
    let asked = NewPayment {
        amount: Minor::new(1250),
        currency: Currency::parse("USD").unwrap(),
        token: "tok_secret".to_owned(),
        capture_method: CaptureMethod::Automatic,
        description: None,
        reference: None,
        customer: None,
        metadata: BTreeMap::new(),
    };
    Payment::accept(Meta::new(id("p"), tenant("m", Mode::Test), 0, cause), asked, "sandbox".to_owned())
}

/// The same payment after the processor has refused it. Nothing changes it any more.
fn failed() -> Payment {
    let refused = Ending::Refused(Failure { code: "card_declined".into(), message: "Declined.".into() });
    let policy = UnknownOutcomePolicy { waits_s: vec![10], repeatable_for_ms: 0, absent_again_ms: 0, last_look_ms: 0 };
    processing().settle(refused, None, Timestamp::from_millis(1), &policy).unwrap().after
}

#[test]
fn only_what_never_changes_is_written() {
    assert_eq!(write(processing()), None);
    assert!(write(failed()).is_some());
}

#[test]
fn no_token_is_written() {
    let value = String::from_utf8(write(failed()).unwrap()).unwrap();
    assert!(value.contains("card_declined") && !value.contains("tok_secret"), "{value}");
}

#[test]
fn a_value_is_read_only_as_this_resource_of_this_tenant() {
    let value = write(failed()).unwrap();
    let read = |tenant, id| read::<Payment>(&value, &tenant, &id);
    assert_eq!(read(tenant("m", Mode::Test), id("p")), failed().lasting());
    assert_eq!(read(tenant("m", Mode::Live), id("p")), None);
    assert_eq!(read(tenant("other", Mode::Test), id("p")), None);
    assert_eq!(read(tenant("m", Mode::Test), id("other")), None);
}

#[test]
fn a_value_that_could_change_is_not_read() {
    let value = serde_json::to_vec(&processing()).unwrap();
    assert_eq!(read::<Payment>(&value, &tenant("m", Mode::Test), &id("p")), None);
    assert_eq!(read::<Payment>(b"{", &tenant("m", Mode::Test), &id("p")), None);
}

#[test]
fn versions_tables_tenants_and_ids_have_keys_of_their_own() {
    let key = |version, table, tenant, payment| {
        super::key(&release(version, table), &keys::resource::<Payment>(&tenant, &id(payment)))
    };
    let keys = [
        key("7", "table", tenant("m", Mode::Test), "p"),
        key("8", "table", tenant("m", Mode::Test), "p"),
        key("7", "other", tenant("m", Mode::Test), "p"),
        key("7", "table", tenant("m", Mode::Live), "p"),
        key("7", "table", tenant("other", Mode::Test), "p"),
        key("7", "table", tenant("m", Mode::Test), "other"),
    ];
    let different: std::collections::BTreeSet<&String> = keys.iter().collect();
    assert_eq!(different.len(), keys.len(), "{keys:?}");
}
