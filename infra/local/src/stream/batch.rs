//! Decides how a failed batch is retried, halved and given up. Pure: it neither sends nor waits.
//!
//! Source of the rules: Lambda Developer Guide, "Process DynamoDB records with Lambda". After a function error a batch is
//! halved, so that a record that always fails ends alone and its neighbours finish. After a partial answer it is only
//! cut at the lowest failure: the rest is retried, and in the end given up as a whole, with every record that follows
//! the failed one.

use std::time::Duration;

use super::changes::Change;

/// The pause after the first failure. It doubles with each further one.
const PAUSE_FIRST: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Records that are being sent to the function.
pub(super) struct Batch {
    /// Parts that are not done, the next one last.
    parts: Vec<Part>,
    bisect: bool,
    /// Attempts after the first one. `None`: no limit.
    retries: Option<u32>,
    age_max: Option<Duration>,
    /// [`Self::next`] last returned the step to give up this many records.
    giving_up: usize,
}

struct Part {
    records: Vec<Change>,
    /// Failed attempts so far.
    failures: u32,
    /// Splits so far. They lengthen the pause and do not count as attempts.
    splits: u32,
}

/// The next step.
#[derive(Debug, PartialEq)]
pub(super) enum Step<'a> {
    Send(&'a [Change]),
    GiveUp(GivenUp),
}

/// Records that are given up.
#[derive(Debug, PartialEq)]
pub(super) struct GivenUp {
    pub records: Vec<Change>,
    /// The reason, as AWS names it.
    pub condition: &'static str,
    pub tries: u32,
}

/// The outcome of a step.
#[derive(Debug, PartialEq)]
pub(super) enum StepOutcome {
    Succeeded,
    /// The records before this index succeeded. The others failed.
    FailedFrom(usize),
    Failed(String),
    GivenUp,
}

/// The consequence of an outcome.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Settled {
    /// Everything up to this sequence is done.
    pub done_to: Option<i64>,
    /// How long to wait before the next step.
    pub pause: Duration,
}

impl Batch {
    pub fn new(records: Vec<Change>, bisect: bool, retries: Option<u32>, age_max: Option<Duration>) -> Self {
        let part = Part { records, failures: 0, splits: 0 };
        Self { parts: vec![part], bisect, retries, age_max, giving_up: 0 }
    }

    /// The next step at the time `now` (milliseconds since 1970). `None` if all is done.
    pub fn next(&mut self, now: i64) -> Option<Step<'_>> {
        self.parts.retain(|part| !part.records.is_empty());
        let (retries, age_max) = (self.retries, self.age_max);
        let part = self.parts.last()?;
        let too_old = part.records.iter().take_while(|record| {
            let age_ms = now - record.created_at * 1000;
            age_max.is_some_and(|max| u128::try_from(age_ms).is_ok_and(|age| age > max.as_millis()))
        });
        let too_old = too_old.count();
        let exhausted = retries.is_some_and(|retries| part.failures > retries);
        let (count, condition) = if too_old > 0 {
            (too_old, "RecordAgeExceeded")
        } else if exhausted {
            (part.records.len(), "RetryAttemptsExhausted")
        } else {
            let part = self.parts.last()?;
            return Some(Step::Send(&part.records));
        };
        self.giving_up = count;
        Some(Step::GiveUp(GivenUp { records: part.records[..count].to_vec(), condition, tries: part.failures }))
    }

    /// Takes the outcome of the step that [`Self::next`] returned.
    pub fn settle(&mut self, outcome: StepOutcome) -> Settled {
        let Some(mut part) = self.parts.pop() else {
            return Settled::default();
        };
        match outcome {
            StepOutcome::Succeeded => {
                let all = part.records.len();
                self.done(part, all)
            }
            StepOutcome::GivenUp => {
                let count = std::mem::take(&mut self.giving_up);
                self.done(part, count)
            }
            StepOutcome::FailedFrom(first) if first > 0 => {
                // The failed records begin with another record, whose attempts count from zero.
                part.failures = 0;
                part.splits = 0;
                let settled = self.done(part, first);
                Settled { pause: PAUSE_FIRST, ..settled }
            }
            StepOutcome::FailedFrom(_) => self.retry(part),
            StepOutcome::Failed(_) if self.bisect && part.records.len() > 1 => self.halve(part),
            StepOutcome::Failed(_) => self.retry(part),
        }
    }

    /// The first `count` records of the part are done. The rest of it is the next part.
    fn done(&mut self, mut part: Part, count: usize) -> Settled {
        let rest = part.records.split_off(count);
        let done_to = part.records.last().map(|record| record.sequence);
        part.records = rest;
        self.parts.push(part);
        Settled { done_to, pause: Duration::ZERO }
    }

    fn halve(&mut self, mut part: Part) -> Settled {
        let half = part.records.split_off(part.records.len().div_ceil(2));
        part.splits += 1;
        let pause = pause(part.failures + part.splits);
        let half = Part { records: half, failures: part.failures, splits: part.splits };
        self.parts.push(half);
        self.parts.push(part);
        Settled { done_to: None, pause }
    }

    fn retry(&mut self, mut part: Part) -> Settled {
        part.failures += 1;
        let last = self.retries.is_some_and(|retries| part.failures > retries);
        let pause = if last { Duration::ZERO } else { pause(part.failures) };
        self.parts.push(part);
        Settled { done_to: None, pause }
    }
}

/// The pause after this many failures in a row.
fn pause(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(10);
    (PAUSE_FIRST * 2_u32.pow(doublings)).min(PAUSE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000_000;

    fn records(count: i64) -> Vec<Change> {
        let record = |sequence| Change { sequence, created_at: NOW / 1000, ..Change::default() };
        (1..=count).map(record).collect()
    }

    fn batch(count: i64, bisect: bool, retries: u32) -> Batch {
        let age_max = Some(Duration::from_secs(3600));
        Batch::new(records(count), bisect, Some(retries), age_max)
    }

    /// Runs the batch with the failures of `fails`. Returns the sequences of the records that succeeded and of those
    /// that were given up, the number of sends and the sum of all pauses.
    fn run(batch: &mut Batch, fails: impl Fn(&[i64]) -> Option<StepOutcome>) -> (Vec<i64>, Vec<i64>, usize, Duration) {
        let (mut sent, mut given_up, mut sends, mut pauses) = (vec![], vec![], 0, Duration::ZERO);
        let mut done_to = 0;
        while let Some(step) = batch.next(NOW) {
            let sequences = |records: &[Change]| records.iter().map(|r| r.sequence).collect();
            let outcome = match step {
                Step::GiveUp(records) => {
                    given_up.extend::<Vec<i64>>(sequences(&records.records));
                    StepOutcome::GivenUp
                }
                Step::Send(records) => {
                    sends += 1;
                    let all: Vec<i64> = sequences(records);
                    let outcome = fails(&all).unwrap_or(StepOutcome::Succeeded);
                    match outcome {
                        StepOutcome::Succeeded => sent.extend(all),
                        StepOutcome::FailedFrom(first) => sent.extend(&all[..first]),
                        _ => {}
                    }
                    outcome
                }
            };
            let settled = batch.settle(outcome);
            pauses += settled.pause;
            if let Some(done) = settled.done_to {
                assert!(done > done_to, "the checkpoint only moves forward");
                done_to = done;
            }
        }
        (sent, given_up, sends, pauses)
    }

    fn poison(all: &[i64]) -> Option<StepOutcome> {
        let failed = || StepOutcome::Failed("poison".to_owned());
        all.contains(&7).then(failed)
    }

    #[test]
    fn a_batch_that_succeeds_is_sent_once() {
        let (sent, given_up, sends, pauses) = run(&mut batch(10, true, 5), |_| None);
        assert_eq!((sent.len(), given_up.len(), sends), (10, 0, 1));
        assert!(pauses.is_zero());
    }

    #[test]
    fn a_poison_record_is_given_up_alone() {
        let (sent, given_up, sends, pauses) = run(&mut batch(10, true, 5), poison);
        assert_eq!(given_up, [7]);
        assert_eq!(sent, [1, 2, 3, 4, 5, 6, 8, 9, 10]);
        assert!(sends <= 4 + 6 + 4, "{sends} sends");
        assert!(pauses < Duration::from_secs(30), "{pauses:?}");
    }

    #[test]
    fn without_bisecting_the_whole_batch_is_given_up() {
        let (sent, given_up, sends, _) = run(&mut batch(10, false, 5), poison);
        assert_eq!((sent.len(), given_up.len(), sends), (0, 10, 6));
    }

    /// The answer of a function that stops at its first failure.
    fn partial(all: &[i64]) -> Option<StepOutcome> {
        all.iter().position(|sequence| *sequence == 7).map(StepOutcome::FailedFrom)
    }

    #[test]
    fn partial_answers_give_up_all_records_from_the_lowest_failure() {
        let (sent, given_up, sends, _) = run(&mut batch(10, true, 2), partial);
        assert_eq!(given_up, [7, 8, 9, 10]);
        assert_eq!(sent, [1, 2, 3, 4, 5, 6]);
        assert_eq!(sends, 1 + 3);
    }

    #[test]
    fn an_error_gives_up_the_first_failed_record_alone() {
        let answer = |all: &[i64]| match partial(all) {
            Some(StepOutcome::FailedFrom(0)) if all.len() > 1 => poison(all),
            other => other,
        };
        let (sent, given_up, ..) = run(&mut batch(10, true, 2), answer);
        assert_eq!(given_up, [7]);
        assert_eq!(sent, [1, 2, 3, 4, 5, 6, 8, 9, 10]);
    }

    #[test]
    fn a_temporary_failure_loses_nothing() {
        let tries = std::cell::Cell::new(0);
        let twice = |_: &[i64]| {
            tries.set(tries.get() + 1);
            (tries.get() <= 2).then(|| StepOutcome::Failed("down".to_owned()))
        };
        let (sent, given_up, ..) = run(&mut batch(10, true, 5), twice);
        assert_eq!((sent.len(), given_up.len()), (10, 0));
    }

    #[test]
    fn old_records_are_given_up_without_a_send() {
        let mut records = records(3);
        records[0].created_at -= 3601;
        records[1].created_at -= 3599;
        let age_max = Some(Duration::from_secs(3600));
        let mut batch = Batch::new(records, true, None, age_max);
        let (sent, given_up, ..) = run(&mut batch, |_| None);
        assert_eq!((sent, given_up), (vec![2, 3], vec![1]));
    }

    #[test]
    fn pauses_grow_to_a_limit() {
        let pauses = [1, 2, 3, 20].map(|failures| pause(failures).as_millis());
        assert_eq!(pauses, [100, 200, 400, 5000]);
    }
}
