use super::*;
use crate::id::shard_of;
use crate::ledger::Side;
use crate::operation::Receipt;
use crate::samples::{cause, noon, payment, policy, receipt, terms};

/// A payment on this shard, captured at noon in this currency, available on 2026-02-02.
fn paid(shard: u16, amount: i64, currency: &str) -> Payment {
    let accepted = payment(shard, amount, currency);
    accepted.settle(Ending::Done(receipt()), Some(&terms()), noon(), &policy()).unwrap().after
}

fn begun_at(payment: &Payment, amount: i64, at: Timestamp) -> Change<Refund> {
    let asked = NewRefund { amount: Minor::new(amount), reason: None, metadata: BTreeMap::new() };
    Refund::begin(payment, RefundId::derive(&["r"]), asked, cause(at)).unwrap()
}

/// Value date, shard and amount of a movement.
type Moved = (String, u16, i64);

/// The legs of the change's only entry, debits above zero, and its movement by value date, shard and amount.
fn posted(change: &Change<Refund>) -> (Vec<(Account, i64)>, Option<Moved>) {
    let [(entry, movement)] = change.entries.as_slice() else { panic!("{:?}", change.entries) };
    let signed = |leg: &crate::ledger::Posting| match leg.side {
        Side::Debit => leg.amount.units(),
        Side::Credit => -leg.amount.units(),
    };
    let legs = entry.postings().iter().map(|leg| (leg.account.clone(), signed(leg))).collect();
    let moved = |movement: &Movement| {
        (movement.key.value_date.to_string(), movement.key.entry.shard(), movement.amount.units())
    };
    (legs, movement.as_ref().map(moved))
}

#[test]
fn a_refund_of_400_takes_value_with_its_payment() {
    let change = begun_at(&paid(3, 1000, "USD"), 400, noon());
    let refund = &change.after;
    assert_eq!((refund.status, refund.meta.version, refund.meta.shard), (Status::Pending, 1, 3));
    let legs = vec![(Account::Merchant, 400), (Account::RefundsPayable, -400)];
    assert_eq!(posted(&change), (legs, Some(("2026-02-02".into(), 3, -400))));
    assert_eq!((change.before.is_none(), change.events[0].event_type), (true, EventType::RefundCreated));
    let [adjust] = change.adjusts.as_slice() else { panic!("{:?}", change.adjusts) };
    assert_eq!((adjust.name, adjust.id.as_str()), ("payment", PaymentId::derive(&["p"]).as_str()));
    assert_eq!(adjust.needs, [("refundable", Minor::new(400))]);
    assert_eq!(adjust.adds, [("refundable", Minor::new(-400)), ("amount_refunded", Minor::new(400))]);
    assert_eq!(adjust.refused, Some(ExceedsRefundable));
}

#[test]
fn a_refund_after_the_payments_value_date_takes_value_at_once() {
    let later = Timestamp::parse("2026-03-01T00:00:00Z").unwrap();
    let change = begun_at(&paid(0, 1000, "USD"), 400, later);
    assert_eq!(posted(&change).1, Some(("2026-03-01".into(), 0, -400)));
}

#[test]
fn a_debit_goes_to_the_first_part_of_the_balance_and_its_reversal_to_the_payments_shard() {
    let shard = 4 + shard_of("x", 3);
    let change = begun_at(&paid(shard, 1000, "USD"), 400, noon());
    assert_eq!(posted(&change).1.unwrap().1, shard - 4);
    let failed = settled(&change.after, Ending::Refused(failure()));
    assert_eq!(posted(&failed).1.unwrap(), ("2026-02-02".into(), shard, 400));
}

#[test]
fn amounts_are_those_of_the_currencys_smallest_unit() {
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
fn a_refund_that_was_sent_moves_no_balance() {
    let refund = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    let change = settled(&refund, Ending::Done(Receipt { reference: "rf_1".into(), method: None }));
    assert_eq!((change.after.status, change.after.meta.version), (Status::Succeeded, 2));
    assert_eq!((change.after.processor_reference.as_deref(), &change.after.asking), (Some("rf_1"), &None));
    let legs = vec![(Account::RefundsPayable, 400), (Account::ProcessorReceivable, -400)];
    assert_eq!(posted(&change), (legs, None));
    assert_eq!((change.adjusts.len(), change.events[0].event_type), (0, EventType::RefundSucceeded));
}

#[test]
fn a_refund_that_failed_gives_money_and_right_back() {
    let refund = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    let change = settled(&refund, Ending::Refused(failure()));
    assert_eq!((change.after.status, change.after.failure.clone()), (Status::Failed, Some(failure())));
    let legs = vec![(Account::RefundsPayable, 400), (Account::Merchant, -400)];
    assert_eq!(posted(&change), (legs, Some(("2026-02-02".into(), 0, 400))));
    let [adjust] = change.adjusts.as_slice() else { panic!("{:?}", change.adjusts) };
    assert_eq!(adjust.adds, [("refundable", Minor::new(400)), ("amount_refunded", Minor::new(-400))]);
    assert_eq!((adjust.needs.len(), adjust.refused), (0, None));
    let [event] = change.events.as_slice() else { panic!("{:?}", change.events) };
    assert_eq!((event.event_type, event.source.as_str()), (EventType::RefundFailed, refund.meta.id.as_str()));
}

#[test]
fn only_a_pending_refund_moves_and_none_fails_by_silence() {
    let all = Status::ALL.iter().flat_map(|from| Status::ALL.iter().map(|to| (*from, *to)));
    let allowed: Vec<_> = all.filter(|(from, to)| allow::<Refund>(*from, *to).is_ok()).collect();
    assert_eq!(allowed, [(Status::Pending, Status::Succeeded), (Status::Pending, Status::Failed)]);
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    assert!(pending.settle(Ending::NeverDone, None, noon(), &policy()).is_err());
    let failed = settled(&pending, Ending::Refused(failure())).after;
    assert!(failed.settle(Ending::Refused(failure()), None, noon(), &policy()).is_err());
}

#[test]
fn nothing_is_refunded_of_a_payment_that_was_not_captured() {
    let captured = paid(0, 1000, "USD");
    let not_captured = Payment { processor_reference: None, available_on: None, ..captured };
    let asked = NewRefund { amount: Minor::new(1), reason: None, metadata: BTreeMap::new() };
    let begun = Refund::begin(&not_captured, RefundId::derive(&["r"]), asked, cause(noon()));
    assert_eq!(begun, Err(NotBegun::NotCaptured));
}

#[test]
fn a_refund_is_listed_under_its_payment_while_the_processor_is_asked() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    assert_eq!(pending.parent(), Some(PaymentId::derive(&["p"]).into()));
    assert_eq!(pending.asking(), Some(&Asking::begin(Verb::Refund, noon())));
    assert_eq!(settled(&pending, Ending::Refused(failure())).after.asking(), None);
}

#[test]
fn asking_again_changes_nothing_that_is_rendered() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    let next = Asking { asks: 1, ..Asking::begin_at(Verb::Refund, noon(), noon().plus_millis(8_000)) };
    let change = pending.ask_again(next.clone());
    assert_eq!(change.after, Refund { asking: Some(next), ..pending.clone() });
    assert_eq!((change.before, change.events.len(), change.entries.len()), (Some(pending), 0, 0));
}

#[test]
fn a_repeated_request_is_answered_as_the_first_one_was() {
    let pending = begun_at(&paid(0, 1000, "USD"), 400, noon()).after;
    for ending in [Ending::Refused(failure()), Ending::Done(receipt())] {
        assert_eq!(settled(&pending, ending).after.as_accepted(), pending);
    }
    let operation = pending.operation().unwrap();
    assert_eq!(operation.key, format!("{}/refund", pending.meta.id));
    assert_eq!(operation.target, Target::Charge("ch_1".into()));
}
