use super::*;
use crate::id::shard_of;
use crate::ledger::Side;
use crate::operation::Receipt;
use crate::samples::{cause, noon, payment, policy, receipt, terms};

/// A payment that was captured at noon, with the value date 2026-02-02.
fn paid(shard: u16, amount: i64, currency: &str) -> Payment {
    let accepted = payment(shard, amount, currency);
    accepted.settle(Ending::Done(receipt()), Some(&terms()), noon(), &policy()).unwrap().after
}

fn begun_at(payment: &Payment, amount: i64, at: Timestamp) -> Change<Refund> {
    let new = NewRefund { amount: Minor::new(amount), reason: None, metadata: BTreeMap::new() };
    Refund::begin(payment, RefundId::derive(&["r"]), new, cause(at)).unwrap()
}

/// Value date, shard and amount of a movement.
type Moved = (String, u16, i64);

/// The postings of the change's only entry, debits positive, and its movement.
fn posted(change: &Change<Refund>) -> (Vec<(Account, i64)>, Option<Moved>) {
    let [(entry, movement)] = change.entries.as_slice() else { panic!("{:?}", change.entries) };
    let signed = |posting: &crate::ledger::Posting| match posting.side {
        Side::Debit => posting.amount.units(),
        Side::Credit => -posting.amount.units(),
    };
    let postings = entry.postings().iter().map(|posting| (posting.account.clone(), signed(posting))).collect();
    let moved = |movement: &Movement| {
        (movement.key.value_date.to_string(), movement.key.entry.shard(), movement.amount.units())
    };
    (postings, movement.as_ref().map(moved))
}

#[test]
fn a_refund_of_400_has_the_value_date_of_its_payment() {
    let change = begun_at(&paid(3, 1000, "USD"), 400, noon());
    let refund = &change.after;
    assert_eq!((refund.status, refund.meta.version, refund.meta.shard), (Status::Pending, 1, 3));
    let postings = vec![(Account::Merchant, 400), (Account::RefundsPayable, -400)];
    assert_eq!(posted(&change), (postings, Some(("2026-02-02".into(), 3, -400))));
    assert_eq!((change.before.is_none(), change.events[0].event_type), (true, EventType::RefundCreated));
    let [adjustment] = change.adjustments.as_slice() else { panic!("{:?}", change.adjustments) };
    assert_eq!((adjustment.name, adjustment.id.as_str()), ("payment", PaymentId::derive(&["p"]).as_str()));
    assert_eq!(adjustment.needs, [("refundable", Minor::new(400))]);
    assert_eq!(adjustment.adds, [("refundable", Minor::new(-400)), ("amount_refunded", Minor::new(400))]);
    assert_eq!(adjustment.refused, Some(ExceedsRefundable));
}

#[test]
fn a_refund_after_the_payments_value_date_has_todays() {
    let later = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
    let change = begun_at(&paid(0, 1000, "USD"), 400, later);
    assert_eq!(posted(&change).1, Some(("2026-03-01".into(), 0, -400)));
}

#[test]
fn a_refund_debits_the_first_part_and_a_failure_credits_its_own() {
    let shard = 4 + shard_of("x", 3);
    let change = begun_at(&paid(shard, 1000, "USD"), 400, noon());
    assert_eq!(posted(&change).1.unwrap().1, shard - 4);
    let failed = settled(&change.after, Ending::Refused(failure()));
    assert_eq!(posted(&failed).1.unwrap(), ("2026-02-02".into(), shard, 400));
}

#[test]
fn amounts_are_in_minor_units_of_the_currency() {
    for (currency, amount) in [("JPY", 1), ("USD", 99), ("KWD", 1_234)] {
        let change = begun_at(&paid(0, 2_000, currency), amount, noon());
        assert_eq!((change.after.currency.code(), posted(&change).1.unwrap().2), (currency, -amount));
        assert_eq!(change.entries[0].0.amount().unwrap().units(), -amount);
        assert_eq!(change.entries[0].0.fee().unwrap(), Minor::ZERO, "the fee is kept");
    }
}

fn failure() -> Failure {
    Failure { code: "refund_refused".into(), message: "Refused.".into() }
}

fn settled(refund: &Refund, ending: Ending) -> Change<Refund> {
    refund.settle(ending, None, noon().plus_millis(5), &policy()).unwrap()
}

#[test]
fn a_succeeded_refund_has_no_movement() {
    let refund = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    let change = settled(&refund, Ending::Done(Receipt { reference: "rf_1".into(), method: None }));
    assert_eq!((change.after.status, change.after.meta.version), (Status::Succeeded, 2));
    assert_eq!((change.after.processor_reference.as_deref(), &change.after.progress), (Some("rf_1"), &None));
    let postings = vec![(Account::RefundsPayable, 400), (Account::ProcessorReceivable, -400)];
    assert_eq!(posted(&change), (postings, None));
    assert_eq!((change.adjustments.len(), change.events[0].event_type), (0, EventType::RefundSucceeded));
}

#[test]
fn a_failed_refund_restores_balance_and_refundable() {
    let refund = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    let change = settled(&refund, Ending::Refused(failure()));
    assert_eq!((change.after.status, change.after.failure.clone()), (Status::Failed, Some(failure())));
    let postings = vec![(Account::RefundsPayable, 400), (Account::Merchant, -400)];
    assert_eq!(posted(&change), (postings, Some(("2026-02-02".into(), 0, 400))));
    let [adjustment] = change.adjustments.as_slice() else { panic!("{:?}", change.adjustments) };
    assert_eq!(adjustment.adds, [("refundable", Minor::new(400)), ("amount_refunded", Minor::new(-400))]);
    assert_eq!((adjustment.needs.len(), adjustment.refused), (0, None));
    let [event] = change.events.as_slice() else { panic!("{:?}", change.events) };
    assert_eq!((event.event_type, event.source.as_str()), (EventType::RefundFailed, refund.meta.id.as_str()));
}

#[test]
fn only_a_pending_refund_changes_and_only_by_an_answer() {
    let all = Status::ALL.iter().flat_map(|from| Status::ALL.iter().map(|to| (*from, *to)));
    let allowed: Vec<_> = all.filter(|(from, to)| allow::<Refund>(*from, *to).is_ok()).collect();
    assert_eq!(allowed, [(Status::Pending, Status::Succeeded), (Status::Pending, Status::Failed)]);
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    assert!(pending.settle(Ending::NeverDone, None, noon(), &policy()).is_err());
    let failed = settled(&pending, Ending::Refused(failure())).after;
    assert!(failed.settle(Ending::Refused(failure()), None, noon(), &policy()).is_err());
}

#[test]
fn a_refund_of_an_uncaptured_payment_is_refused() {
    let captured = paid(0, 1000, "USD");
    let not_captured = Payment { processor_reference: None, available_on: None, ..captured };
    let new = NewRefund { amount: Minor::new(1), reason: None, metadata: BTreeMap::new() };
    let begun = Refund::begin(&not_captured, RefundId::derive(&["r"]), new, cause(noon()));
    assert_eq!(begun, Err(NotBegun::NotCaptured));
}

#[test]
fn only_a_final_refund_lasts() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    assert_eq!(pending.clone().lasting(), None);
    for ending in [Ending::Refused(failure()), Ending::Done(receipt())] {
        let done = settled(&pending, ending).after;
        assert_eq!(done.clone().lasting(), Some(done));
    }
}

#[test]
fn a_refund_is_listed_under_its_payment() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    assert_eq!(pending.parent(), Some(PaymentId::derive(&["p"]).into()));
    assert_eq!(pending.progress(), Some(&Progress::begin(Verb::Refund, noon())));
    assert_eq!(settled(&pending, Ending::Refused(failure())).after.progress(), None);
}

#[test]
fn ask_again_changes_only_the_asking() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    let next = Progress { tries: 1, ..Progress::begin_at(Verb::Refund, noon(), noon().plus_millis(8_000)) };
    let change = pending.progressed(next.clone());
    assert_eq!(change.after, Refund { progress: Some(next), ..pending.clone() });
    assert_eq!((change.before, change.events.len(), change.entries.len()), (Some(pending), 0, 0));
}

#[test]
fn as_accepted_restores_the_first_version() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    for ending in [Ending::Refused(failure()), Ending::Done(receipt())] {
        assert_eq!(settled(&pending, ending).after.as_accepted(), pending);
    }
    let operation = pending.operation().unwrap();
    assert_eq!(operation.key, format!("{}/refund", pending.meta.id));
    assert_eq!(operation.target, Target::Charge("ch_1".into()));
}
