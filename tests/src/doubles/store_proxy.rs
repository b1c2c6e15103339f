//! A proxy between the functions and DynamoDB that counts calls and injects faults: it can fail, hold, delay or lose
//! them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use spillway_limits::{Claim, Conflicts};
use tokio::sync::watch;

pub use super::store_call::{Call, Matching};
use crate::api::eventually::{Deadline, eventually};
use crate::client;
use crate::consumed::{self, Consumed};

use crate::server::{Answered, Closed, Server};
use crate::store_errors::{canceled, error, response};

/// A fault injected into a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Answers with this error without calling the store: `ThrottlingException`, `TransactionConflictException`,
    /// `InternalServerError` (500), …
    Error(&'static str),
    /// Cancels a transaction: this code is the reason of the item at this place, `None` that of all others.
    Canceled(usize, &'static str),
    /// Closes the connection without calling the store.
    Close,
    /// Calls the store, then closes the connection without an answer.
    LoseReply,
    /// Delays the call.
    Delay(Duration),
    /// Leaves all but the first items of a BatchGetItem unprocessed, as a throttled store does.
    LeaveOver(usize),
}

impl Fault {
    /// Name for reports.
    fn name(&self) -> &'static str {
        match self {
            Fault::Error("InternalServerError") => "store call failed",
            Fault::Error("TransactionConflictException") | Fault::Canceled(..) => "store conflict feigned",
            Fault::Error(_) => "store call throttled",
            Fault::Close => "store connection closed",
            Fault::LoseReply => "store reply lost",
            Fault::Delay(_) => "store call delayed",
            Fault::LeaveOver(_) => "store answer cut short",
        }
    }
}

const IN_CONFLICT: &str = "store write in conflict";

/// How often each fault was injected, by name.
pub type Met = BTreeMap<&'static str, usize>;

#[derive(Clone)]
enum Action {
    Fault(Fault),
    Hold { at: Held, reached: Arc<watch::Sender<usize>>, verdict: watch::Receiver<Verdict> },
}

impl Action {
    fn name(&self) -> &'static str {
        match self {
            Action::Fault(fault) => fault.name(),
            Action::Hold { .. } => "store call held",
        }
    }
}

/// When a call is held: before the store gets it, or after, with only the answer missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    /// The store has not got the call.
    Before,
    /// The store has executed the call.
    After,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Verdict {
    Wait,
    Forward,
    Close,
}

struct Rule {
    matching: Matching,
    skip: usize,
    left: usize,
    action: Action,
}

#[derive(Default)]
struct State {
    calls: Vec<Call>,
    /// Capacity units of the calls, if they are metered.
    consumed: Option<Vec<Consumed>>,
    rules: Vec<Rule>,
    /// Conflicts, and how long each write holds its items before the store gets it.
    conflicts: Option<(Conflicts, Duration)>,
    /// Whether rules and conflicts are paused.
    calm: bool,
    met: Met,
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    state: Mutex<State>,
}

/// The proxy. Dropping it ends it.
pub struct StoreProxy {
    server: Server,
    shared: Arc<Shared>,
}

/// Calls held at the proxy until the test decides about them. Dropping it closes their connections.
pub struct Hold {
    reached: watch::Receiver<usize>,
    verdict: watch::Sender<Verdict>,
}

impl Hold {
    /// Waits until `count` calls are held.
    pub async fn reached(&self, count: usize) {
        eventually(&format!("{count} calls are held"), Deadline::SOON, async || {
            let held = self.count();
            if held < count { Err(format!("{held} held")) } else { Ok(()) }
        })
        .await;
    }

    /// Number of calls held so far.
    pub fn count(&self) -> usize {
        *self.reached.borrow()
    }

    /// Forwards the held calls and later ones.
    pub fn forward(&self) {
        self.verdict.send_replace(Verdict::Forward);
    }

    /// Closes the connections of the held calls and later ones without calling the store.
    pub fn close(&self) {
        self.verdict.send_replace(Verdict::Close);
    }
}

impl StoreProxy {
    pub(crate) async fn start(upstream: String) -> StoreProxy {
        let shared = Arc::new(Shared { upstream, http: client::http(), state: Mutex::default() });
        let of_server = Arc::clone(&shared);
        let server = Server::start(move |request| receive(Arc::clone(&of_server), request)).await.unwrap();
        StoreProxy { server, shared }
    }

    /// Its address for the functions.
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// The calls so far, or since [`StoreProxy::forget_calls`].
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state.lock().unwrap().calls.clone()
    }

    /// Number of matching calls.
    pub fn count(&self, matching: &Matching) -> usize {
        self.shared.state.lock().unwrap().calls.iter().filter(|call| matching.is(call)).count()
    }

    /// Clears the recorded calls.
    pub fn forget_calls(&self) {
        self.shared.state.lock().unwrap().calls.clear();
    }

    /// From now on calls ask the store for consumed capacity.
    pub fn start_metering(&self) {
        self.shared.state.lock().unwrap().consumed = Some(Vec::new());
    }

    /// Consumed capacity since [`StoreProxy::start_metering`] or the last call of this.
    pub fn take_consumed(&self) -> Vec<Consumed> {
        self.shared.state.lock().unwrap().consumed.as_mut().map(std::mem::take).expect("metering has been started")
    }

    /// Injected faults since the last call of this, by name; planned faults that no call has met are not counted.
    pub fn take_met(&self) -> Met {
        std::mem::take(&mut self.shared.state.lock().unwrap().met)
    }

    /// Injects this fault into the next `times` matching calls. The oldest matching rule applies.
    pub fn fault(&self, times: usize, matching: Matching, fault: Fault) {
        self.fault_after(0, times, matching, fault);
    }

    /// Skips `skip` matching calls and injects the fault into the next `times`.
    pub fn fault_after(&self, skip: usize, times: usize, matching: Matching, fault: Fault) {
        self.add(Rule { matching, skip, left: times, action: Action::Fault(fault) });
    }

    /// Holds the next `times` matching calls.
    pub fn hold(&self, times: usize, matching: Matching) -> Hold {
        self.hold_at(Held::Before, 0, times, matching)
    }

    /// Skips `skip` matching calls and holds the next `times`.
    pub fn hold_at(&self, at: Held, skip: usize, times: usize, matching: Matching) -> Hold {
        let (reached, caught) = watch::channel(0);
        let (decide, verdict) = watch::channel(Verdict::Wait);
        let action = Action::Hold { at, reached: Arc::new(reached), verdict };
        self.add(Rule { matching, skip, left: times, action });
        Hold { reached: caught, verdict: decide }
    }

    /// From now on each write holds its items for `hold` before the store gets it, and until the store has answered.
    /// Concurrent writes of these items conflict as in DynamoDB: a transaction is canceled; a plain write is refused
    /// while a transaction holds its item, and waits while another plain write does.
    pub fn set_conflicts(&self, hold: Duration) {
        self.shared.state.lock().unwrap().conflicts = Some((Conflicts::default(), hold));
    }

    /// Removes all faults and conflicts. (Held calls stay held.)
    pub fn heal(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.rules.clear();
        state.conflicts = None;
    }

    /// While set, no fault is injected; the remaining ones apply afterwards.
    pub fn set_calm(&self, calm: bool) {
        self.shared.state.lock().unwrap().calm = calm;
    }

    fn add(&self, rule: Rule) {
        let mut state = self.shared.state.lock().unwrap();
        state.rules.retain(|rule| rule.left > 0);
        state.rules.push(rule);
    }
}

async fn receive(shared: Arc<Shared>, request: Request<Bytes>) -> Answered {
    let (head, body) = request.into_parts();
    // In its own task: a caller that gives up does not cancel a call to a slow store.
    tokio::spawn(answer(shared, head.headers, body)).await.map_err(|_| Closed)?
}

async fn answer(shared: Arc<Shared>, headers: HeaderMap, body: Bytes) -> Answered {
    let call = Call::of(&headers, &body);
    let _items = match shared.claim(&call).await {
        Ok(claim) => claim,
        Err(conflict) => return Ok(conflict),
    };
    match shared.action(&call) {
        None => shared.forward(headers, body).await,
        Some(Action::Fault(Fault::Error(name))) => Ok(error(name)),
        Some(Action::Fault(Fault::Canceled(place, code))) => Ok(canceled(&call, place, code)),
        Some(Action::Fault(Fault::Close)) => Err(Closed),
        Some(Action::Fault(Fault::LoseReply)) => {
            shared.forward(headers, body).await?;
            Err(Closed)
        }
        Some(Action::Fault(Fault::Delay(by))) => {
            tokio::time::sleep(by).await;
            shared.forward(headers, body).await
        }
        Some(Action::Fault(Fault::LeaveOver(kept))) => leave_over(shared.forward(headers, body).await?, kept).await,
        Some(Action::Hold { at: Held::Before, reached, verdict }) => {
            decided(&reached, verdict).await?;
            shared.forward(headers, body).await
        }
        Some(Action::Hold { at: Held::After, reached, verdict }) => {
            let answer = shared.forward(headers, body).await;
            decided(&reached, verdict).await?;
            answer
        }
    }
}

/// Waits for the decision about a held call; `Err` closes its connection.
async fn decided(reached: &watch::Sender<usize>, mut verdict: watch::Receiver<Verdict>) -> Result<(), Closed> {
    reached.send_modify(|count| *count += 1);
    let decided = verdict.wait_for(|verdict| *verdict != Verdict::Wait).await.map_err(|_| Closed)?;
    if *decided == Verdict::Forward { Ok(()) } else { Err(Closed) }
}

impl Shared {
    /// Records the call and holds its items where writes conflict; `Err` is the answer to a conflict.
    async fn claim(&self, call: &Call) -> Result<Option<Claim>, Response<Full<Bytes>>> {
        let conflicts = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(call.clone());
            state.conflicts.clone().filter(|_| !state.calm)
        };
        let Some((conflicts, hold)) = conflicts else { return Ok(None) };
        let body = serde_json::from_str(&call.body).unwrap_or_default();
        let executed = spillway_limits::Call { operation: call.operation.clone(), body };
        match conflicts.claim(&executed, ("pk", "sk")).await {
            Ok(Some(claim)) => {
                tokio::time::sleep(hold).await;
                Ok(Some(claim))
            }
            Ok(None) => Ok(None),
            Err(conflict) => {
                *self.state.lock().unwrap().met.entry(IN_CONFLICT).or_default() += 1;
                Err(response(&conflict))
            }
        }
    }

    /// Takes the rule that applies to the call.
    fn action(&self, call: &Call) -> Option<Action> {
        let mut state = self.state.lock().unwrap();
        if state.calm {
            return None;
        }
        let rule = state.rules.iter_mut().find(|rule| rule.left > 0 && rule.matching.is(call))?;
        if rule.skip > 0 {
            rule.skip -= 1;
            return None;
        }
        rule.left -= 1;
        let action = rule.action.clone();
        *state.met.entry(action.name()).or_default() += 1;
        Some(action)
    }

    async fn forward(&self, mut headers: HeaderMap, mut body: Bytes) -> Answered {
        headers.remove("host");
        let measured = self.state.lock().unwrap().consumed.is_some().then(|| Call::of(&headers, &body));
        if let Some(call) = &measured {
            headers.remove("content-length");
            body = consumed::asking(call).into();
        }
        let answer = self.http.post(&self.upstream).headers(headers).body(body).send().await.map_err(|_| Closed)?;
        let mut response = Response::builder().status(answer.status());
        for (name, value) in answer.headers().iter().filter(|(name, _)| *name != "transfer-encoding") {
            response = response.header(name, value);
        }
        let body = answer.bytes().await.map_err(|_| Closed)?;
        if let (Some(call), Some(consumed)) = (measured, self.state.lock().unwrap().consumed.as_mut()) {
            consumed.extend(Consumed::read(call, &body));
        }
        Ok(response.body(Full::new(body)).unwrap())
    }
}

/// All but the first `kept` items of a BatchGetItem become keys that were not processed.
async fn leave_over(answer: Response<Full<Bytes>>, kept: usize) -> Answered {
    let bytes = answer.into_body().collect().await.map_err(|_| Closed)?.to_bytes();
    let mut body: Value = serde_json::from_slice(&bytes).unwrap();
    for (table, items) in body["Responses"].take().as_object().unwrap() {
        let (given, left) = items.as_array().unwrap().split_at(kept.min(items.as_array().unwrap().len()));
        let left: Vec<Value> = left.iter().map(|item| json!({"pk": item["pk"], "sk": item["sk"]})).collect();
        body["Responses"][table] = json!(given);
        if !left.is_empty() {
            body["UnprocessedKeys"][table] = json!({"ConsistentRead": true, "Keys": left});
        }
    }
    let response = Response::builder().header("content-type", "application/x-amz-json-1.0");
    Ok(response.body(Full::new(body.to_string().into())).unwrap())
}
