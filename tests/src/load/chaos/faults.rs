//! Faults in an order that the seed determines.

use std::fs;
use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::process;
use crate::queues::Queues;
use crate::stack::Stack;
use crate::store_proxy::{Fault, Matching, Met};

/// A kind of fault.
#[derive(Debug, Clone, Copy)]
enum Kind {
    FunctionKilled,
    StackKilled,
    QueuesLost,
    MessagesTaken,
    StreamReplayed,
    StoreDelays,
    StoreThrottles,
    StoreFails,
    StoreConflicts,
    StoreLosesReplies,
    StoreCloses,
    StoreStops,
}

/// How often each kind is in the deck.
const DECK: [(Kind, usize); 12] = [
    (Kind::FunctionKilled, 24),
    (Kind::StackKilled, 2),
    (Kind::QueuesLost, 2),
    (Kind::MessagesTaken, 4),
    (Kind::StreamReplayed, 1),
    (Kind::StoreDelays, 3),
    (Kind::StoreThrottles, 3),
    (Kind::StoreFails, 3),
    (Kind::StoreConflicts, 4),
    (Kind::StoreLosesReplies, 5),
    (Kind::StoreCloses, 4),
    (Kind::StoreStops, 2),
];

/// How long messages are taken from the queues.
const TAKING: Duration = Duration::from_millis(700);
/// How long a stopped store does not answer.
const STOPPED: Duration = Duration::from_secs(1);
/// Most calls that a stopped store holds and then releases.
const HELD_MAX: usize = 60;
/// Name of a replay in the report.
const REPLAYED: &str = "whole stack killed, stream replayed";
/// Length of the stream that a replay repeats, in microseconds; the first replay starts at the beginning. Replaying all
/// of a long run repeatedly would leave no time for other faults. A record's number is the microsecond of its write.
const REPLAYED_US: i64 = 60_000_000;

/// Injects faults one after another.
pub(super) struct Injector {
    /// Its own random numbers, because the draws of `random` depend on timing.
    order: fastrand::Rng,
    random: fastrand::Rng,
    deck: Vec<Kind>,
    happened: Met,
}

impl Injector {
    /// Every kind occurs once before any occurs again, so that a short run has all of them.
    pub(super) fn new(mut random: fastrand::Rng) -> Injector {
        let mut deck: Vec<Kind> = DECK.iter().map(|(kind, _)| *kind).collect();
        let mut order = random.fork();
        order.shuffle(&mut deck);
        Injector { order, random, deck, happened: Met::new() }
    }

    /// Number of faults so far, by kind.
    pub(super) fn happened(&self) -> &Met {
        &self.happened
    }

    /// Adds the store faults that callers have met meanwhile.
    pub(super) fn note_met(&mut self, stack: &Stack) {
        for (what, times) in stack.store_proxy().take_met() {
            self.count(what, times);
        }
    }

    pub(super) fn pause_ms(&mut self, range: Range<u64>) -> u64 {
        self.random.u64(range)
    }

    fn count(&mut self, what: &'static str, times: usize) {
        *self.happened.entry(what).or_default() += times;
    }

    fn deal(&mut self) -> Kind {
        if self.deck.is_empty() {
            self.deck = DECK.iter().flat_map(|(kind, times)| std::iter::repeat_n(*kind, *times)).collect();
            self.order.shuffle(&mut self.deck);
        }
        self.deck.pop().unwrap_or(Kind::FunctionKilled)
    }

    /// Injects the next fault. If the stack does not start again, `Err` is the end of its log.
    pub(super) async fn inject(&mut self, stack: &mut Stack) -> Result<(), String> {
        self.note_met(stack);
        match self.deal() {
            Kind::FunctionKilled => self.kill_function(stack),
            Kind::MessagesTaken => self.take_messages(stack).await,
            Kind::StackKilled => self.restart(stack, "whole stack killed", |_| ()).await?,
            Kind::QueuesLost => self.restart(stack, "whole stack killed, queues lost", Stack::delete_queues).await?,
            Kind::StreamReplayed => {
                let first = !self.happened.contains_key(REPLAYED);
                self.restart(stack, REPLAYED, if first { forget } else { rewind }).await?;
            }
            Kind::StoreStops => self.stop_store(stack),
            Kind::StoreDelays => {
                let by = Duration::from_millis(self.random.u64(50..600));
                self.spoil(stack, Matching::all(), &Fault::Delay(by));
            }
            Kind::StoreThrottles => {
                let name =
                    if self.random.bool() { "ThrottlingException" } else { "ProvisionedThroughputExceededException" };
                self.spoil(stack, Matching::all(), &Fault::Error(name));
            }
            Kind::StoreFails => {
                self.spoil(stack, Matching::all(), &Fault::Error("InternalServerError"));
            }
            Kind::StoreCloses => {
                self.spoil(stack, Matching::all(), &Fault::Close);
            }
            Kind::StoreLosesReplies => {
                let matching = self.writes();
                self.spoil(stack, matching, &Fault::LoseReply);
            }
            Kind::StoreConflicts => {
                let (matching, fault) = if self.random.bool() {
                    (Matching::operation("TransactWriteItems"), Fault::Canceled(0, "TransactionConflict"))
                } else {
                    let single = ["PutItem", "UpdateItem"][self.random.usize(0..2)];
                    (Matching::operation(single), Fault::Error("TransactionConflictException"))
                };
                self.spoil(stack, matching, &fault);
            }
        }
        Ok(())
    }

    /// Kills one process of a function, or all of them.
    fn kill_function(&mut self, stack: &Stack) {
        let mut of_one = process::of_a_program(stack.pid(), &mut self.random);
        if self.random.bool() {
            of_one.truncate(1);
        }
        let killed = of_one.into_iter().filter(|pid| process::signal(*pid, "KILL")).count();
        self.count("function killed", killed);
    }

    /// Kills the whole stack, changes its data, and starts it again, with ordered or unordered queues.
    async fn restart(&mut self, stack: &mut Stack, what: &'static str, spoil: fn(&Stack)) -> Result<(), String> {
        stack.kill().await;
        spoil(stack);
        stack.set_knob("QUEUE_DISORDER", self.random.u8(0..2));
        tokio::time::sleep(Duration::from_millis(self.random.u64(0..500))).await;
        stack.try_restart().await?;
        self.count(what, 1);
        Ok(())
    }

    /// Takes messages from the queues for a while; those that no function received before are lost.
    async fn take_messages(&mut self, stack: &Stack) {
        let queues = stack.queues();
        let until = Instant::now() + TAKING;
        let mut taken = 0;
        while Instant::now() < until {
            // An error of the queues loses no message.
            taken += take(&queues).await.unwrap_or_default();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        self.count("queues emptied", 1);
        self.count("message lost", taken);
    }

    /// Holds the next calls for a second, then forwards or closes them.
    fn stop_store(&mut self, stack: &Stack) {
        let hold = stack.store_proxy().hold(HELD_MAX, Matching::all());
        let cut = self.random.bool();
        tokio::spawn(async move {
            tokio::time::sleep(STOPPED).await;
            if cut {
                hold.close()
            } else {
                hold.forward()
            }
            // Later calls get the same decision.
            tokio::time::sleep(STOPPED).await;
        });
    }

    /// Plans bursts of faulty calls with unharmed ones between them. The proxy counts the faults.
    fn spoil(&mut self, stack: &Stack, matching: Matching, fault: &Fault) {
        for _ in 0..self.random.usize(2..8) {
            let (skip, times) = (self.random.usize(0..30), self.random.usize(1..8));
            stack.store_proxy().fault_after(skip, times, matching.clone(), fault.clone());
        }
    }

    /// Selects writes of one kind, or all calls.
    fn writes(&mut self) -> Matching {
        let kinds = ["TransactWriteItems", "PutItem", "UpdateItem", "BatchWriteItem"];
        self.random.choice(kinds).map_or_else(Matching::all, Matching::operation)
    }
}

/// Takes the available messages; returns their number; `Err` says why the queues do not answer.
async fn take(queues: &Queues) -> Result<usize, String> {
    let mut taken = 0;
    for url in queues.try_work_urls().await? {
        let request = json!({"QueueUrl": url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 0});
        let answer = queues.try_call("ReceiveMessage", request).await?;
        for message in answer["Messages"].as_array().into_iter().flatten() {
            let request = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
            queues.try_call("DeleteMessage", request).await?;
            taken += 1;
        }
    }
    Ok(taken)
}

/// Path of the stream trigger's checkpoint.
fn checkpoint(stack: &Stack) -> PathBuf {
    stack.data().join("state/dispatch-changes.checkpoint")
}

/// Deletes the stream trigger's checkpoint.
fn forget(stack: &Stack) {
    // Missing if the stack was killed before its first record.
    let _ = fs::remove_file(checkpoint(stack));
}

/// Moves the stream trigger's checkpoint back.
fn rewind(stack: &Stack) {
    // Missing if the stack was killed before its first record: the trigger starts at the beginning anyway.
    let Ok(text) = fs::read_to_string(checkpoint(stack)) else { return };
    let reached: Value = serde_json::from_str(&text).unwrap_or_default();
    let earlier = reached["sequence"].as_i64().unwrap_or_default() - REPLAYED_US;
    fs::write(checkpoint(stack), json!({"sequence": earlier}).to_string()).expect("the stack's folder can be written");
}
