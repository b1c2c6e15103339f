use super::*;
use crate::id::PaymentId;
use crate::ledger::{Posting, Side};
use crate::operation::Step;
use crate::samples::{HOUR, noon, policy, receipt, terms};

fn payment(amount: i64) -> Payment {
    crate::samples::payment(3, amount, "USD")
}

fn failure() -> Failure {
    Failure { code: "card_declined".into(), message: "Declined.".into() }
}

fn settled(payment: &Payment, ending: Ending, at: Timestamp) -> Change<Payment> {
    payment.settle(ending, Some(&terms()), at, &policy()).unwrap()
}

#[test]
fn a_captured_payment_of_1250_is_posted_with_a_fee_of_66() {
    let change = settled(&payment(1250), Ending::Done(receipt()), noon().plus_millis(500));
    let paid = &change.after;
    assert_eq!((paid.status, paid.meta.version, change.before), (Status::Succeeded, 2, Some(payment(1250))));
    assert_eq!((paid.amount_captured.units(), paid.refundable.units(), paid.fee), (1250, 1250, Some(Minor::new(66))));
    assert_eq!(paid.available_on.unwrap().to_string(), "2026-02-02");
    assert_eq!((paid.progress(), paid.processor_reference.as_deref()), (None, Some("ch_1")));
    assert_eq!((&paid.payment_method, &payment(1250).payment_method), (&receipt().method, &None));
    let [(entry, Some(movement))] = change.entries.as_slice() else { panic!("{:?}", change.entries) };
    let posting = |account, side, amount| Posting { account, side, amount: Minor::new(amount) };
    assert_eq!(
        entry.postings(),
        [
            posting(Account::ProcessorReceivable, Side::Debit, 1250),
            posting(Account::Merchant, Side::Credit, 1184),
            posting(Account::FeeIncome, Side::Credit, 66),
        ]
    );
    assert_eq!((movement.amount.units(), movement.key.value_date.to_string()), (1184, "2026-02-02".into()));
    assert_eq!(entry.id.shard(), 3);
    let [event] = change.events.as_slice() else { panic!("{:?}", change.events) };
    assert_eq!((event.event_type, event.source.as_str()), (EventType::PaymentSucceeded, paid.meta.id.as_str()));
}

#[test]
fn a_capture_without_terms_is_an_error() {
    let settled = payment(1250).settle(Ending::Done(receipt()), None, noon(), &policy());
    assert_eq!(settled, Err(ChangeError::NoTerms));
}

#[test]
fn a_refused_payment_has_a_failure_and_no_entries() {
    let change = settled(&payment(1250), Ending::Refused(failure()), noon());
    assert_eq!((change.after.status, change.after.failure.clone()), (Status::Failed, Some(failure())));
    assert_eq!(
        (change.after.amount_captured, change.after.refundable, change.after.fee),
        (Minor::ZERO, Minor::ZERO, None)
    );
    assert_eq!((change.entries.len(), change.after.progress), (0, None));
    assert_eq!(change.events[0].event_type, EventType::PaymentFailed);
}

#[test]
fn a_payment_never_done_fails_and_is_looked_up_a_day_later() {
    let failed = settled(&payment(1250), Ending::NeverDone, noon()).after;
    assert_eq!(failed.failure.as_ref().unwrap().code, "processor_unavailable");
    let progress = failed.progress.as_ref().unwrap();
    let day = noon().plus_millis(24 * HOUR);
    assert_eq!(progress.next_step(day.plus_millis(-2_000), &policy()), None);
    assert_eq!(progress.next_step(day, &policy()), Some(Step::LookUp));
    assert_eq!(failed.operation().unwrap().key, format!("{}/undo", failed.meta.id));
}

#[test]
fn the_end_of_the_last_look_up_changes_only_the_progress() {
    let failed = settled(&payment(1250), Ending::NeverDone, noon()).after;
    for ending in [Ending::NeverDone, Ending::Done(receipt())] {
        let change = settled(&failed, ending, noon().plus_millis(HOUR));
        assert_eq!(change.after, Payment { progress: None, ..failed.clone() });
        assert_eq!((change.entries.len(), change.events.len()), (0, 0));
    }
}

#[test]
fn only_a_processing_payment_changes_its_status() {
    let all = Status::ALL.iter().flat_map(|from| Status::ALL.iter().map(|to| (*from, *to)));
    let allowed: Vec<_> = all.filter(|(from, to)| allow::<Payment>(*from, *to).is_ok()).collect();
    assert_eq!(allowed, [(Status::Processing, Status::Succeeded), (Status::Processing, Status::Failed)]);
    // An ending that comes too late does not change the status.
    let paid = settled(&payment(1), Ending::Done(receipt()), noon()).after;
    assert_eq!(settled(&paid, Ending::Refused(failure()), noon()).after, paid);
    assert_eq!(paid.moved_to(Status::Failed, noon()), Err(ForbiddenMove));
}

#[test]
fn the_processors_idempotency_key_contains_the_payments_id() {
    let accepted = payment(1250);
    assert_eq!(accepted.progress(), Some(&Progress::begin(Verb::Authorize, noon())));
    let operation = accepted.operation().unwrap();
    let id = PaymentId::derive(&["p"]);
    assert_eq!((operation.verb, operation.key), (Verb::Authorize, format!("{id}/authorize")));
    assert_eq!((operation.amount.units(), operation.currency.code()), (1250, "USD"));
    let paid = settled(&payment(1), Ending::Done(receipt()), noon()).after;
    assert_eq!(paid.operation(), None);
}

#[test]
fn a_payment_is_found_by_its_reference_and_its_customer() {
    assert_eq!(payment(1).found_by(), []);
    let mut payment = payment(1);
    payment.asked = NewPayment {
        reference: Some("order-1".to_owned()),
        customer: Some("jane".to_owned()),
        ..payment.asked.clone()
    };
    assert_eq!(payment.found_by(), [(Finder::Reference, "order-1"), (Finder::Customer, "jane")]);
}

#[test]
fn a_payment_is_listed_by_its_time_of_creation() {
    let paid = settled(&payment(1), Ending::Done(receipt()), noon().plus_millis(9)).after;
    // The id is the head of the hash of "p".
    assert_eq!(paid.meta.position(), "2026-01-31T12:00:00.000Z#pay_byy4p3cb6xgc7vedbyg6yxg30j");
}

#[test]
fn as_accepted_restores_the_first_version() {
    let accepted = payment(1250);
    let paid = settled(&accepted, Ending::Done(receipt()), noon().plus_millis(9)).after;
    assert_eq!(paid.as_accepted(), accepted);
}

#[test]
fn only_a_failed_payment_without_a_last_look_up_lasts() {
    let accepted = payment(1250);
    let paid = settled(&accepted, Ending::Done(receipt()), noon()).after;
    let refused = settled(&accepted, Ending::Refused(failure()), noon()).after;
    let unknown = settled(&accepted, Ending::NeverDone, noon()).after;
    assert_eq!([accepted, paid, unknown].map(Payment::lasting), [None, None, None]);
    let lasting = refused.clone().lasting().unwrap();
    assert_eq!(lasting.asked.token, "", "a card's token is for its processor only");
    assert_eq!(Payment { asked: refused.asked.clone(), ..lasting }, refused);
}

#[test]
fn the_event_of_a_version_has_a_stable_id() {
    let at = noon().plus_millis(5);
    let id = || settled(&payment(1), Ending::Done(receipt()), at).events[0].id.clone();
    assert_eq!(id(), id());
    assert_eq!(id().shard(), 3);
}

#[test]
fn only_a_refusal_counts_as_a_failure_of_card_and_customer() {
    let mut payment = payment(1250);
    payment.asked.token = "tok_declined_17".to_owned();
    payment.asked.customer = Some("jane".to_owned());
    let payers = [PayerId::derive(&["card", "tok_declined_17"]), PayerId::derive(&["customer", "jane"])];
    assert_eq!(settled(&payment, Ending::Refused(failure()), noon()).failed_payers, payers);
    assert_eq!(settled(&payment, Ending::Done(receipt()), noon()).failed_payers, []);
    assert_eq!(settled(&payment, Ending::NeverDone, noon()).failed_payers, []);
    payment.asked.token = "tok_declined".to_owned();
    assert_eq!(settled(&payment, Ending::Refused(failure()), noon()).failed_payers, payers[1..]);
}
