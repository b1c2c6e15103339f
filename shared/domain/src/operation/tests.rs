use super::*;
use crate::samples::{HOUR, noon, policy, receipt};

fn after(hours: i64) -> Timestamp {
    noon().plus_millis(hours * HOUR)
}

fn refusal() -> Failure {
    Failure { code: "card_declined".into(), message: "Declined.".into() }
}

fn progress(verb: Verb) -> Progress {
    Progress::begin(verb, noon())
}

fn again(consequence: Consequence) -> Progress {
    match consequence {
        Consequence::Store(Conclusion::Continue(progress)) => progress,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_authorization_is_called_while_the_key_is_stored() {
    for (hours, step) in [(0, Step::Call), (23, Step::Call), (24, Step::LookUp), (9000, Step::LookUp)] {
        assert_eq!(progress(Verb::Authorize).next_step(after(hours), &policy()), Some(step), "{hours} h");
    }
}

#[test]
fn an_undo_is_looked_up_first() {
    assert_eq!(progress(Verb::Undo).next_step(noon(), &policy()), Some(Step::LookUp));
}

#[test]
fn only_an_undo_looks_first_and_only_an_authorization_is_priced() {
    let rules = [Verb::Authorize, Verb::Undo, Verb::Refund].map(Verb::rules);
    let rules = rules.map(|rules| (rules.looks_first, rules.is_priced));
    assert_eq!(rules, [(false, true), (true, false), (false, false)]);
}

#[test]
fn an_early_message_waits() {
    let waiting = Progress::begin_at(Verb::Authorize, noon(), noon().plus_millis(10_000));
    assert_eq!(waiting.next_step(noon().plus_millis(8_999), &policy()), None);
    assert_eq!(waiting.next_step(noon().plus_millis(9_000), &policy()), Some(Step::Call));
}

#[test]
fn each_answer_has_one_consequence() {
    use Answer::{Absent, Done, Refused, Unknown};
    let absent_before = Progress { absent_since: Some(noon()), ..progress(Verb::Authorize) };
    let lost_refund = Progress { absent_since: Some(noon()), ..progress(Verb::Refund) };
    let again = None;
    let ended = |ending| Some(Consequence::Store(Conclusion::Ended(ending)));
    // Progress, step, answer, hour, expected consequence. `None` stands for `Continue`.
    for (progress, step, answer, hour, expected) in [
        (progress(Verb::Authorize), Step::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
        (progress(Verb::Authorize), Step::Call, Refused(refusal()), 0, ended(Ending::Refused(refusal()))),
        (progress(Verb::Authorize), Step::Call, Unknown, 0, again.clone()),
        (progress(Verb::Authorize), Step::Call, Absent, 0, again.clone()),
        (progress(Verb::Authorize), Step::LookUp, Done(receipt()), 30, ended(Ending::Done(receipt()))),
        (progress(Verb::Authorize), Step::LookUp, Unknown, 30, again.clone()),
        (progress(Verb::Authorize), Step::LookUp, Absent, 30, again.clone()),
        (absent_before.clone(), Step::LookUp, Absent, 1, ended(Ending::NeverDone)),
        (absent_before.clone(), Step::LookUp, Unknown, 1, again.clone()),
        (absent_before, Step::LookUp, Absent, 0, again.clone()),
        (progress(Verb::Undo), Step::LookUp, Done(receipt()), 0, Some(Consequence::CallNow)),
        (progress(Verb::Undo), Step::LookUp, Absent, 0, again.clone()),
        (progress(Verb::Undo), Step::LookUp, Absent, 24, ended(Ending::NeverDone)),
        (progress(Verb::Undo), Step::LookUp, Unknown, 0, again.clone()),
        (progress(Verb::Undo), Step::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
        (progress(Verb::Undo), Step::Call, Refused(refusal()), 0, again.clone()),
        (progress(Verb::Undo), Step::Call, Unknown, 0, again.clone()),
        (progress(Verb::Undo), Step::Call, Refused(refusal()), 0, again.clone()),
        (progress(Verb::Refund), Step::Call, Done(receipt()), 0, ended(Ending::Done(receipt()))),
        (progress(Verb::Refund), Step::Call, Refused(refusal()), 0, ended(Ending::Refused(refusal()))),
        (progress(Verb::Refund), Step::LookUp, Done(receipt()), 30, ended(Ending::Done(receipt()))),
        (progress(Verb::Refund), Step::LookUp, Absent, 30, again.clone()),
        (lost_refund, Step::LookUp, Absent, 1, Some(Consequence::CallNow)),
        (progress(Verb::Refund), Step::Call, Unknown, 0, again),
    ] {
        let row = format!("{progress:?} {step:?} {answer:?}");
        match (progress.consequence(step, answer, after(hour), &policy(), 0), expected) {
            (Consequence::Store(Conclusion::Continue(next)), None) => {
                assert_eq!(next.tries, progress.tries + 1, "{row}")
            }
            (found, expected) => assert_eq!(Some(found), expected, "{row}"),
        }
    }
}

#[test]
fn the_last_look_up_waits_for_its_time() {
    let undo = progress(Verb::Undo);
    let look_up = |now| undo.consequence(Step::LookUp, Answer::Absent, now, &policy(), 0);
    let early = again(look_up(after(24).plus_millis(-1_001)));
    assert_eq!((early.tries, early.next_at), (1, Some(after(24))));
    assert!(early.absent_since.is_some(), "the log says that nothing was found");
    // A message may arrive a second before its time.
    assert_eq!(look_up(after(24).plus_millis(-1_000)), Consequence::Store(Conclusion::Ended(Ending::NeverDone)));
}

#[test]
fn a_conclusion_is_carried_over_to_a_changed_object() {
    let first = progress(Verb::Authorize);
    let tried_again = Progress { tries: 1, next_at: Some(after(1)), ..first.clone() };
    let last_look = Progress::begin_at(Verb::Undo, after(1), after(25));
    let at_once = Progress { next_at: None, ..last_look.clone() };
    let done = Conclusion::Ended(Ending::Done(receipt()));
    let refused = Conclusion::Ended(Ending::Refused(refusal()));
    let never_done = Conclusion::Ended(Ending::NeverDone);
    let progressed = Conclusion::Continue(tried_again.clone());
    for (conclusion, now, expected) in [
        // Another write changed the object, but not the progress of its operation.
        (&done, &first, Some(&done)),
        (&refused, &first, Some(&refused)),
        (&never_done, &first, Some(&never_done)),
        (&progressed, &first, Some(&progressed)),
        // Another copy stored an unknown outcome.
        (&done, &tried_again, Some(&done)),
        (&refused, &tried_again, Some(&refused)),
        (&never_done, &tried_again, None),
        (&progressed, &tried_again, None),
        // Another copy gave up.
        (&done, &last_look, Some(&Conclusion::Continue(at_once.clone()))),
        (&refused, &last_look, None),
        (&never_done, &last_look, None),
        (&progressed, &last_look, None),
        (&done, &at_once, None),
    ] {
        assert_eq!(conclusion.carried_over(&first, now).as_ref(), expected, "{conclusion:?} {now:?}");
    }
}

#[test]
fn the_second_absence_counts_only_after_an_hour() {
    let absent = Progress { absent_since: Some(noon()), ..progress(Verb::Authorize) };
    let look_up = |at| absent.consequence(Step::LookUp, Answer::Absent, at, &policy(), 0);
    assert_eq!(look_up(noon().plus_millis(HOUR)), Consequence::Store(Conclusion::Ended(Ending::NeverDone)));
    assert_eq!(again(look_up(noon().plus_millis(HOUR - 1))).absent_since, Some(noon()));
}

#[test]
fn after_another_call_two_absences_are_needed_again() {
    let lost = Progress { absent_since: Some(noon()), ..progress(Verb::Refund) };
    let called = again(lost.consequence(Step::Call, Answer::Unknown, after(1), &policy(), 0));
    assert_eq!(called.absent_since, None);
    let absent = again(called.consequence(Step::LookUp, Answer::Absent, after(2), &policy(), 0));
    assert_eq!(absent.absent_since, Some(after(2)));
    assert_eq!(absent.consequence(Step::LookUp, Answer::Absent, after(3), &policy(), 0), Consequence::CallNow);
    // A look-up without an answer keeps the first absence.
    let unknown = again(absent.consequence(Step::LookUp, Answer::Unknown, after(3), &policy(), 0));
    assert_eq!(unknown.absent_since, Some(after(2)));
}

#[test]
fn waits_grow_and_a_call_is_planned_before_the_key_is_deleted() {
    let wait_s = |tries, at_hour, spread| {
        let (now, so_far) = (after(at_hour), Progress { tries, ..progress(Verb::Authorize) });
        let next = again(so_far.consequence(Step::Call, Answer::Unknown, now, &policy(), spread));
        next.next_at.unwrap().since(now) / 1000
    };
    assert_eq!((wait_s(0, 0, 1000), wait_s(0, 0, 0)), (10, 8));
    assert_eq!(wait_s(1, 0, 1000), 60);
    assert_eq!(wait_s(2, 1, 1000), 22 * 3600, "until hour 23 of 24");
    assert_eq!(progress(Verb::Authorize).next_step(after(23), &policy()), Some(Step::Call));
    // From then on a wait is not cut. The next step is a call if the wait ends before the key is deleted.
    for (tries, wait, step) in [(0, 10, Step::Call), (9, 24 * 3600, Step::LookUp)] {
        assert_eq!(wait_s(tries, 23, 1000), wait);
        assert_eq!(progress(Verb::Authorize).next_step(after(23).plus_millis(wait * 1000), &policy()), Some(step));
    }
}

#[test]
fn the_look_up_after_a_first_absence_comes_after_an_hour() {
    let now = after(30);
    let so_far = Progress { tries: 9, ..progress(Verb::Authorize) };
    let absent = again(so_far.consequence(Step::LookUp, Answer::Absent, now, &policy(), 1000));
    assert_eq!((absent.absent_since, absent.next_at), (Some(now), Some(now.plus_millis(HOUR))));
    let unknown = absent.consequence(Step::LookUp, Answer::Unknown, after(31), &policy(), 1000);
    assert_eq!(again(unknown).absent_since, Some(now));
}
