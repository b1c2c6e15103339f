use super::*;
use crate::event::EventObject;
use crate::id::MerchantId;
use crate::ledger::{Account, Posting, Side};
use crate::tenant::Mode;

fn policy() -> UnknownOutcomePolicy {
    UnknownOutcomePolicy {
        waits_s: vec![10, 60, 86_400],
        repeatable_for_ms: 24 * HOUR,
        absent_again_ms: HOUR,
        last_look_ms: 24 * HOUR,
    }
}
const HOUR: i64 = 3_600_000;

fn noon() -> Timestamp {
    Timestamp::parse("2026-01-31T12:00:00Z").unwrap()
}

fn payment(amount: i64) -> Payment {
    let tenant = Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test };
    let asked = NewPayment {
        amount: Minor::new(amount),
        currency: Currency::parse("USD").unwrap(),
        token: "tok_visa".into(),
        capture_method: CaptureMethod::Automatic,
        description: None,
        reference: None,
        customer: None,
        metadata: BTreeMap::new(),
    };
    let origin = Origin {
        shard: 3,
        processor: "sandbox".into(),
        fingerprint: Fingerprint::of(b"{}"),
        request_id: "req-1".into(),
        at: noon(),
    };
    Payment::accept(PaymentId::derive(&["p"]), tenant, asked, origin)
}

fn approval() -> Approval {
    let method = PaymentMethod { method_type: "card".into(), brand: "visa".into(), last4: "4242".into() };
    Approval { reference: "ch_1".into(), method }
}

fn terms() -> Terms {
    Terms { pricing: Pricing { fee_basis_points: 290, fee_fixed: Minor::new(30) }, settlement_delay_days: 2 }
}

#[test]
fn an_approved_payment_of_1250_is_posted_with_a_fee_of_66() {
    let change = payment(1250).approved(approval(), &terms(), noon().plus_millis(500)).unwrap();
    let paid = &change.payment;
    assert_eq!((paid.status, paid.version, change.read.version), (Status::Succeeded, 2, 1));
    assert_eq!((paid.amount_captured.units(), paid.refundable.units(), paid.fee), (1250, 1250, Some(Minor::new(66))));
    assert_eq!(paid.available_on.unwrap().to_string(), "2026-02-02");
    let (entry, movement) = change.posting.as_ref().unwrap();
    let leg = |account, side, amount| Posting { account, side, amount: Minor::new(amount) };
    assert_eq!(
        entry.postings,
        vec![
            leg(Account::ProcessorReceivable, Side::Debit, 1250),
            leg(Account::Merchant, Side::Credit, 1184),
            leg(Account::FeeIncome, Side::Credit, 66),
        ]
    );
    assert_eq!((movement.amount.units(), movement.key.value_date.to_string()), (1184, "2026-02-02".into()));
    assert_eq!(entry.id.shard(), 3);
    assert_eq!(
        (change.event.event_type, &change.event.object),
        (EventType::PaymentSucceeded, &EventObject::Payment(Box::new(paid.clone())))
    );
}

#[test]
fn a_declined_payment_moves_no_money_and_says_why() {
    let failure = Failure { code: "card_declined".into(), message: "Declined.".into() };
    let change = payment(1250).failed(failure.clone(), noon());
    assert_eq!((change.payment.status, change.payment.failure.clone()), (Status::Failed, Some(failure)));
    assert_eq!(
        (change.payment.amount_captured, change.payment.refundable, change.payment.fee),
        (Minor::ZERO, Minor::ZERO, None)
    );
    assert!(change.posting.is_none());
    assert_eq!(change.event.event_type, EventType::PaymentFailed);
}

#[test]
fn nothing_is_to_be_done_for_a_terminal_payment() {
    let paid = payment(1).approved(approval(), &terms(), noon()).unwrap().payment;
    let failed = payment(1).failed(Failure { code: "x".into(), message: "x".into() }, noon()).payment;
    for done in [paid, failed] {
        assert_eq!(done.next_step(noon().plus_millis(1000 * HOUR), &policy()), Step::Nothing);
    }
}

#[test]
fn an_unknown_outcome_is_asked_for_while_the_processor_keeps_the_key_and_looked_up_later() {
    let payment = payment(1);
    for (hours, step) in [(0, Step::Authorize), (23, Step::Authorize), (24, Step::LookUp), (9000, Step::LookUp)] {
        assert_eq!(payment.next_step(noon().plus_millis(hours * HOUR), &policy()), step, "{hours} h");
    }
}

#[test]
fn a_payment_absent_at_the_processor_fails_only_when_absent_twice_an_hour_apart() {
    let mut payment = payment(1);
    assert_eq!(payment.absent(noon(), &policy()), None);
    payment.absent_since = Some(noon());
    assert_eq!(payment.absent(noon().plus_millis(HOUR - 1), &policy()), None);
    let failed = payment.absent(noon().plus_millis(HOUR), &policy()).unwrap().payment;
    assert_eq!(failed.failure.unwrap().code, "processor_unavailable");
}

#[test]
fn a_payment_that_failed_without_an_answer_is_looked_for_once_more_a_day_later() {
    let absent = Payment { absent_since: Some(noon()), ..payment(1) };
    let failed_at = noon().plus_millis(HOUR);
    let failed = absent.absent(failed_at, &policy()).unwrap().payment;
    assert_eq!(failed.next_step(failed_at.plus_millis(24 * HOUR - 1), &policy()), Step::Nothing);
    assert_eq!(failed.next_step(failed_at.plus_millis(24 * HOUR), &policy()), Step::LastLook);
}

#[test]
fn a_repeated_request_is_answered_as_the_first_one_was() {
    let accepted = payment(1250);
    let paid = accepted.approved(approval(), &terms(), noon().plus_millis(9)).unwrap().payment;
    assert_eq!(paid.as_accepted(), accepted);
}

#[test]
fn the_event_of_a_version_always_has_the_same_id() {
    let at = noon().plus_millis(5);
    let id = || payment(1).approved(approval(), &terms(), at).unwrap().event.id;
    assert_eq!(id(), id());
    assert_eq!(id().shard(), 3);
}

#[test]
fn the_waits_for_an_unknown_outcome_grow_and_a_last_identical_call_fits_before_the_key_is_forgotten() {
    let wait_s = |asks, at_hour: i64, spread| {
        let now = noon().plus_millis(at_hour * HOUR);
        let asked = Payment { asks, ..payment(1) }.asked_in_vain(false, now, &policy(), spread);
        assert_eq!(asked.asks, asks + 1);
        asked.next_ask_at.unwrap().since(now) / 1000
    };
    assert_eq!((wait_s(0, 0, 1000), wait_s(0, 0, 0)), (10, 8));
    assert_eq!(wait_s(1, 0, 1000), 60);
    assert_eq!(wait_s(2, 1, 1000), 22 * 3600, "to the 23rd of 24 hours");
    assert_eq!(wait_s(9, 23, 1000), 24 * 3600, "afterwards only look-ups are left");
}

#[test]
fn after_a_first_absence_the_second_look_comes_when_it_can_decide() {
    let now = noon().plus_millis(30 * HOUR);
    let absent = Payment { asks: 9, ..payment(1) }.asked_in_vain(true, now, &policy(), 1000);
    assert_eq!((absent.absent_since, absent.next_ask_at), (Some(now), Some(now.plus_millis(HOUR))));
    let still_unknown = absent.asked_in_vain(false, now.plus_millis(HOUR), &policy(), 1000);
    assert_eq!(still_unknown.absent_since, Some(now));
}

#[test]
fn a_repeated_message_before_the_next_ask_does_nothing() {
    let waiting = payment(1).asked_in_vain(false, noon(), &policy(), 1000);
    assert_eq!(waiting.next_step(noon().plus_millis(8_999), &policy()), Step::Nothing);
    assert_eq!(waiting.next_step(noon().plus_millis(9_000), &policy()), Step::Authorize);
}
