use super::*;
use crate::samples::{HOUR, noon, policy, receipt};

fn after(hours: i64) -> Timestamp {
    noon().plus_millis(hours * HOUR)
}

fn refusal() -> Failure {
    Failure { code: "card_declined".into(), message: "Declined.".into() }
}

fn asking(verb: Verb) -> Asking {
    Asking::begin(verb, noon())
}

fn again(conclusion: Conclusion) -> Asking {
    match conclusion {
        Conclusion::AskAgain(asking) => asking,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_authorization_is_called_while_the_key_is_stored() {
    for (hours, ask) in [(0, Ask::Call), (23, Ask::Call), (24, Ask::LookUp), (9000, Ask::LookUp)] {
        assert_eq!(asking(Verb::Authorize).next(after(hours), &policy()), ask, "{hours} h");
    }
}

#[test]
fn an_undo_is_looked_up_first() {
    assert_eq!(asking(Verb::Undo).next(noon(), &policy()), Ask::LookUp);
}

#[test]
fn only_an_undo_looks_first_and_only_an_authorization_is_priced() {
    let rules = [Verb::Authorize, Verb::Undo, Verb::Refund].map(Verb::rules);
    let rules = rules.map(|rules| (rules.looks_first, rules.is_priced));
    assert_eq!(rules, [(false, true), (true, false), (false, false)]);
}

#[test]
fn an_early_message_waits() {
    let waiting = Asking::begin_at(Verb::Authorize, noon(), noon().plus_millis(10_000));
    assert_eq!(waiting.next(noon().plus_millis(8_999), &policy()), Ask::Wait(noon().plus_millis(10_000)));
    assert_eq!(waiting.next(noon().plus_millis(9_000), &policy()), Ask::Call);
}

#[test]
fn each_answer_has_one_conclusion() {
    use Answer::{Absent, Done, Refused, Unknown};
    let absent_before = Asking { absent_since: Some(noon()), ..asking(Verb::Authorize) };
    let lost_refund = Asking { absent_since: Some(noon()), ..asking(Verb::Refund) };
    let again = None;
    let ended = |ending| Some(Conclusion::Ended(ending));
    // Progress, step, answer, hour, expected conclusion. `None` stands for `AskAgain`.
    for (asking, ask, answer, hour, expected) in [
        (asking(Verb::Authorize), Ask::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
        (asking(Verb::Authorize), Ask::Call, Refused(refusal()), 0, ended(Ending::Refused(refusal()))),
        (asking(Verb::Authorize), Ask::Call, Unknown, 0, again.clone()),
        (asking(Verb::Authorize), Ask::Call, Absent, 0, again.clone()),
        (asking(Verb::Authorize), Ask::LookUp, Done(receipt()), 30, ended(Ending::Done(receipt()))),
        (asking(Verb::Authorize), Ask::LookUp, Unknown, 30, again.clone()),
        (asking(Verb::Authorize), Ask::LookUp, Absent, 30, again.clone()),
        (absent_before.clone(), Ask::LookUp, Absent, 1, ended(Ending::NeverDone)),
        (absent_before.clone(), Ask::LookUp, Unknown, 1, again.clone()),
        (absent_before, Ask::LookUp, Absent, 0, again.clone()),
        (asking(Verb::Undo), Ask::LookUp, Done(receipt()), 0, Some(Conclusion::Call)),
        (asking(Verb::Undo), Ask::LookUp, Absent, 0, again.clone()),
        (asking(Verb::Undo), Ask::LookUp, Absent, 24, ended(Ending::NeverDone)),
        (asking(Verb::Undo), Ask::LookUp, Unknown, 0, again.clone()),
        (asking(Verb::Undo), Ask::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
        (asking(Verb::Undo), Ask::Call, Refused(refusal()), 0, again.clone()),
        (asking(Verb::Undo), Ask::Call, Unknown, 0, again.clone()),
        (asking(Verb::Undo), Ask::Call, Refused(refusal()), 0, again.clone()),
        (asking(Verb::Refund), Ask::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
        (asking(Verb::Refund), Ask::Call, Refused(refusal()), 0, ended(Ending::Refused(refusal()))),
        (asking(Verb::Refund), Ask::LookUp, Done(receipt()), 30, ended(Ending::Done(receipt()))),
        (asking(Verb::Refund), Ask::LookUp, Absent, 30, again.clone()),
        (lost_refund, Ask::LookUp, Absent, 1, Some(Conclusion::Call)),
        (asking(Verb::Refund), Ask::Call, Unknown, 0, again),
    ] {
        let row = format!("{asking:?} {ask:?} {answer:?}");
        match (asking.conclude(ask, answer, after(hour), &policy(), 0), expected) {
            (Conclusion::AskAgain(next), None) => assert_eq!(next.asks, asking.asks + 1, "{row}"),
            (concluded, expected) => assert_eq!(Some(concluded), expected, "{row}"),
        }
    }
}

#[test]
fn the_last_look_up_waits_for_its_time() {
    let undo = asking(Verb::Undo);
    let conclude = |now| undo.conclude(Ask::LookUp, Answer::Absent, now, &policy(), 0);
    let early = again(conclude(after(24).plus_millis(-1_001)));
    assert_eq!((early.asks, early.next_at), (1, Some(after(24))));
    assert!(early.absent_since.is_some(), "the log says that nothing was found");
    // A message may arrive a second before its time.
    assert_eq!(conclude(after(24).plus_millis(-1_000)), Conclusion::Ended(Ending::NeverDone));
}

#[test]
fn a_conclusion_is_carried_over_to_a_changed_object() {
    let first = asking(Verb::Authorize);
    let asked_again = Asking { asks: 1, next_at: Some(after(1)), ..first.clone() };
    let last_look = Asking::begin_at(Verb::Undo, after(1), after(25));
    let at_once = Asking { next_at: None, ..last_look.clone() };
    let done = Conclusion::Ended(Ending::Done(receipt()));
    let refused = Conclusion::Ended(Ending::Refused(refusal()));
    let never_done = Conclusion::Ended(Ending::NeverDone);
    let ask_again = Conclusion::AskAgain(asked_again.clone());
    for (conclusion, now, expected) in [
        // Another write changed the object, but not the progress of its operation.
        (&done, &first, Some(&done)),
        (&refused, &first, Some(&refused)),
        (&never_done, &first, Some(&never_done)),
        (&ask_again, &first, Some(&ask_again)),
        // Another copy stored an unknown outcome.
        (&done, &asked_again, Some(&done)),
        (&refused, &asked_again, Some(&refused)),
        (&never_done, &asked_again, None),
        (&ask_again, &asked_again, None),
        // Another copy gave up.
        (&done, &last_look, Some(&Conclusion::AskAgain(at_once.clone()))),
        (&refused, &last_look, None),
        (&never_done, &last_look, None),
        (&ask_again, &last_look, None),
        (&done, &at_once, None),
    ] {
        assert_eq!(conclusion.carried_over(&first, now).as_ref(), expected, "{conclusion:?} {now:?}");
    }
}

#[test]
fn the_second_absence_counts_only_after_an_hour() {
    let absent = Asking { absent_since: Some(noon()), ..asking(Verb::Authorize) };
    let conclude = |at| absent.conclude(Ask::LookUp, Answer::Absent, at, &policy(), 0);
    assert_eq!(conclude(noon().plus_millis(HOUR)), Conclusion::Ended(Ending::NeverDone));
    assert_eq!(again(conclude(noon().plus_millis(HOUR - 1))).absent_since, Some(noon()));
}

#[test]
fn after_another_call_two_absences_are_needed_again() {
    let lost = Asking { absent_since: Some(noon()), ..asking(Verb::Refund) };
    let called = again(lost.conclude(Ask::Call, Answer::Unknown, after(1), &policy(), 0));
    assert_eq!(called.absent_since, None);
    let absent = again(called.conclude(Ask::LookUp, Answer::Absent, after(2), &policy(), 0));
    assert_eq!(absent.absent_since, Some(after(2)));
    assert_eq!(absent.conclude(Ask::LookUp, Answer::Absent, after(3), &policy(), 0), Conclusion::Call);
    // A look-up without an answer keeps the first absence.
    let unknown = again(absent.conclude(Ask::LookUp, Answer::Unknown, after(3), &policy(), 0));
    assert_eq!(unknown.absent_since, Some(after(2)));
}

#[test]
fn waits_grow_and_a_call_is_planned_before_the_key_is_deleted() {
    let wait_s = |asks, at_hour, spread| {
        let (now, asking) = (after(at_hour), Asking { asks, ..asking(Verb::Authorize) });
        let next = again(asking.conclude(Ask::Call, Answer::Unknown, now, &policy(), spread));
        next.next_at.unwrap().since(now) / 1000
    };
    assert_eq!((wait_s(0, 0, 1000), wait_s(0, 0, 0)), (10, 8));
    assert_eq!(wait_s(1, 0, 1000), 60);
    assert_eq!(wait_s(2, 1, 1000), 22 * 3600, "until hour 23 of 24");
    assert_eq!(asking(Verb::Authorize).next(after(23), &policy()), Ask::Call);
    // From then on a wait is not cut. The next step is a call if the wait ends before the key is deleted.
    for (asks, wait, step) in [(0, 10, Ask::Call), (9, 24 * 3600, Ask::LookUp)] {
        assert_eq!(wait_s(asks, 23, 1000), wait);
        assert_eq!(asking(Verb::Authorize).next(after(23).plus_millis(wait * 1000), &policy()), step);
    }
}

#[test]
fn the_look_up_after_a_first_absence_comes_after_an_hour() {
    let now = after(30);
    let asking = Asking { asks: 9, ..asking(Verb::Authorize) };
    let absent = again(asking.conclude(Ask::LookUp, Answer::Absent, now, &policy(), 1000));
    assert_eq!((absent.absent_since, absent.next_at), (Some(now), Some(now.plus_millis(HOUR))));
    let unknown = absent.conclude(Ask::LookUp, Answer::Unknown, after(31), &policy(), 1000);
    assert_eq!(again(unknown).absent_since, Some(now));
}
