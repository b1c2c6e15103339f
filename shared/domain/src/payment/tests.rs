use super::*;
use crate::id::MerchantId;
use crate::ledger::{Account, Posting, Side};
use crate::tenant::Mode;

const POLICY: UnknownOutcomePolicy =
    UnknownOutcomePolicy { repeatable_for_ms: 82_800_000, absent_again_ms: HOUR, last_look_ms: 24 * HOUR };
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
    Payment::accept(PaymentId::derive(&["p"]), tenant, asked, 3, "sandbox", Fingerprint::of(b"{}"), "req-1", noon())
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
    assert_eq!((paid.status, paid.version, change.from_version), (Status::Succeeded, 2, 1));
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
    assert_eq!((change.event.event_type, &change.event.payment), (EventType::PaymentSucceeded, paid));
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
        assert_eq!(done.next_step(noon().plus_millis(1000 * HOUR), &POLICY), Step::Nothing);
    }
}

#[test]
fn an_unknown_outcome_is_asked_for_while_the_processor_keeps_the_key_and_looked_up_later() {
    let payment = payment(1);
    for (hours, step) in [(0, Step::Authorize), (22, Step::Authorize), (23, Step::LookUp), (9000, Step::LookUp)] {
        assert_eq!(payment.next_step(noon().plus_millis(hours * HOUR), &POLICY), step, "{hours} h");
    }
}

#[test]
fn a_payment_absent_at_the_processor_fails_only_when_absent_twice_an_hour_apart() {
    let mut payment = payment(1);
    assert_eq!(payment.absent(noon(), &POLICY), None);
    payment.absent_since = Some(noon());
    assert_eq!(payment.absent(noon().plus_millis(HOUR - 1), &POLICY), None);
    let failed = payment.absent(noon().plus_millis(HOUR), &POLICY).unwrap().payment;
    assert_eq!(failed.failure.unwrap().code, "processor_unavailable");
}

#[test]
fn a_payment_that_failed_without_an_answer_is_looked_for_once_more_a_day_later() {
    let absent = Payment { absent_since: Some(noon()), ..payment(1) };
    let failed_at = noon().plus_millis(HOUR);
    let failed = absent.absent(failed_at, &POLICY).unwrap().payment;
    assert_eq!(failed.next_step(failed_at.plus_millis(24 * HOUR - 1), &POLICY), Step::Nothing);
    assert_eq!(failed.next_step(failed_at.plus_millis(24 * HOUR), &POLICY), Step::LastLook);
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
