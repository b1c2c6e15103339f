//! Queues in virtual time: the two calls of SQS that functions make, and what Lambda's pollers do.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use spillway_limits::{Answer, Call, VirtualTime};

/// Time of a call. AWS publishes none.
const LATENCY: Duration = Duration::from_millis(10);

/// A message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its place in the order of all messages: also its receipt.
    pub id: u64,
    /// The merchant.
    pub group: String,
    /// The name of an item.
    pub body: String,
    /// Receives so far.
    pub receives: u64,
    /// When it was sent.
    pub sent_at: Duration,
}

#[derive(Default)]
struct Queue {
    visibility: Duration,
    receives_max: u64,
    /// Visible messages by group.
    ready: BTreeMap<String, VecDeque<Message>>,
    /// Delayed messages and messages in flight, by the time at which they are visible.
    hidden: BTreeMap<(Duration, u64), Message>,
    hidden_until: HashMap<u64, Duration>,
    in_flight: HashMap<String, usize>,
    sent: u64,
    /// Dead letters, with the time at which each became one.
    dead: Vec<(Message, Duration)>,
}

/// All queues, by logical id. Clones share them.
#[derive(Clone)]
pub struct Queues {
    time: VirtualTime,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    queues: BTreeMap<String, Queue>,
    ids: u64,
}

impl Queues {
    /// No queue.
    pub fn new(time: &VirtualTime) -> Queues {
        Queues { time: time.clone(), state: Arc::default() }
    }

    /// Adds a queue.
    pub fn add(&self, name: &str, (visibility, receives_max): (Duration, u64)) {
        let queue = Queue { visibility, receives_max, ..Queue::default() };
        self.state().queues.insert(name.to_owned(), queue);
    }

    /// Answers a call of SQS.
    pub async fn call(&self, call: Call) -> Answer {
        self.time.wait(LATENCY).await;
        let body = match call.operation.as_str() {
            "SendMessageBatch" => self.send(&call.body),
            "ChangeMessageVisibility" => {
                let seconds = call.body["VisibilityTimeout"].as_u64().unwrap();
                let id = call.body["ReceiptHandle"].as_str().unwrap().parse().unwrap();
                self.hide(name_of(&call.body), id, Duration::from_secs(seconds));
                json!({})
            }
            other => panic!("the functions did not use {other} before"),
        };
        Answer { status: 200, body }
    }

    fn send(&self, request: &Value) -> Value {
        let entries = request["Entries"].as_array().unwrap();
        for entry in entries {
            let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
            let delay = Duration::from_secs(entry["DelaySeconds"].as_u64().unwrap_or_default());
            self.put(name_of(request), &text("MessageGroupId"), text("MessageBody"), delay);
        }
        let sent = entries.iter().map(|entry| json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": ""}));
        json!({"Successful": sent.collect::<Vec<_>>(), "Failed": []})
    }

    /// Puts a message on a queue.
    pub fn put(&self, queue: &str, group: &str, body: String, delay: Duration) {
        let now = self.time.now();
        let mut state = self.state();
        state.ids += 1;
        let id = state.ids;
        let message = Message { id, group: group.to_owned(), body, receives: 0, sent_at: now };
        let queue = state.queue(queue);
        queue.sent += 1;
        match delay {
            Duration::ZERO => queue.ready.entry(message.group.clone()).or_default().push_back(message),
            delay => queue.hide(message, now + delay),
        }
    }

    /// Receives up to `max` messages. The next message comes from the group with the fewest in flight (fair queues).
    pub fn receive(&self, name: &str, max: usize) -> Vec<Message> {
        let now = self.time.now();
        let mut state = self.state();
        let queue = state.queue(name);
        queue.show(now);
        let mut received = Vec::new();
        while received.len() < max {
            let in_flight = |group: &String| queue.in_flight.get(group).copied().unwrap_or_default();
            let Some(group) = queue.ready.keys().min_by_key(|group| in_flight(group)).cloned() else { break };
            let messages = queue.ready.get_mut(&group).unwrap();
            let mut message = messages.pop_front().unwrap();
            if messages.is_empty() {
                queue.ready.remove(&group);
            }
            message.receives += 1;
            *queue.in_flight.entry(group).or_default() += 1;
            queue.hide(message.clone(), now + queue.visibility);
            received.push(message);
        }
        received
    }

    /// Deletes a message that was worked on.
    pub fn delete(&self, name: &str, message: &Message) {
        let mut state = self.state();
        let queue = state.queue(name);
        if queue.take(message.id).is_some() {
            *queue.in_flight.get_mut(&message.group).unwrap() -= 1;
        }
    }

    /// Messages of a queue, visible or not.
    pub fn len(&self, name: &str) -> usize {
        let mut state = self.state();
        let queue = state.queue(name);
        queue.hidden.len() + queue.ready.values().map(VecDeque::len).sum::<usize>()
    }

    /// Whether all queues are empty.
    pub fn are_empty(&self) -> bool {
        let state = self.state();
        state.queues.values().all(|queue| queue.hidden.is_empty() && queue.ready.is_empty())
    }

    /// Messages sent to a queue so far.
    pub fn sent(&self, name: &str) -> u64 {
        self.state().queue(name).sent
    }

    /// Bodies of the visible messages of a group.
    pub fn bodies(&self, name: &str, group: &str) -> Vec<String> {
        let mut state = self.state();
        state.queue(name).ready.get(group).into_iter().flatten().map(|message| message.body.clone()).collect()
    }

    /// The time at which the first message of a queue became a dead letter.
    pub fn first_dead(&self, name: &str) -> Option<Duration> {
        self.state().queue(name).dead.first().map(|(_, at)| *at)
    }

    fn hide(&self, name: &str, id: u64, duration: Duration) {
        let now = self.time.now();
        let mut state = self.state();
        let queue = state.queue(name);
        if let Some(message) = queue.take(id) {
            queue.hide(message, now + duration);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn queue(&mut self, name: &str) -> &mut Queue {
        self.queues.get_mut(name).unwrap_or_else(|| panic!("there is no queue {name}"))
    }
}

impl Queue {
    fn hide(&mut self, message: Message, until: Duration) {
        self.hidden_until.insert(message.id, until);
        self.hidden.insert((until, message.id), message);
    }

    fn take(&mut self, id: u64) -> Option<Message> {
        let until = self.hidden_until.remove(&id)?;
        self.hidden.remove(&(until, id))
    }

    /// Makes hidden messages visible whose time has come, or dead letters if they were received too often.
    fn show(&mut self, now: Duration) {
        while let Some(entry) = self.hidden.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, id), message) = entry.remove_entry();
            self.hidden_until.remove(&id);
            if message.receives > 0 {
                *self.in_flight.get_mut(&message.group).unwrap() -= 1;
            }
            if message.receives >= self.receives_max {
                self.dead.push((message, at));
            } else {
                self.ready.entry(message.group.clone()).or_default().push_back(message);
            }
        }
    }
}

/// The queue's logical id, which is its URL.
fn name_of(request: &Value) -> &str {
    request["QueueUrl"].as_str().unwrap()
}
