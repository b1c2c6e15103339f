//! A way to the store that can fail: it stands between the functions and DynamoDB, counts the calls, and gives, holds
//! or loses answers as a test tells it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{HeaderMap, Request, Response};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::api::eventually::{Deadline, eventually};
use crate::client;
use crate::server::{Answered, Closed, Server};
use crate::store_conflicts::{Claim, Conflicts};
use crate::store_errors::{Answer, canceled, error};
use crate::units::{self, Consumed};

/// One call as it arrived. An attempt that the SDK repeats is a call of its own.
#[derive(Debug, Clone)]
pub struct Call {
    /// `PutItem`, …
    pub operation: String,
    /// The request in DynamoDB's JSON.
    pub body: String,
}

/// Which calls a fault is for.
#[derive(Debug, Clone)]
pub struct Matching {
    operation: Option<&'static str>,
    parts: Vec<String>,
}

impl Matching {
    /// Every call.
    pub fn all() -> Matching {
        Matching { operation: None, parts: Vec::new() }
    }

    /// Calls of this operation.
    pub fn operation(name: &'static str) -> Matching {
        Matching { operation: Some(name), parts: Vec::new() }
    }

    /// Of these, the calls whose body holds `part` too.
    pub fn with(mut self, part: &str) -> Matching {
        self.parts.push(part.to_owned());
        self
    }

    fn is(&self, call: &Call) -> bool {
        self.operation.is_none_or(|name| name == call.operation)
            && self.parts.iter().all(|part| call.body.contains(part))
    }
}

/// What becomes of a call.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The store answers with this error and does nothing: `ThrottlingException`, `TransactionConflictException`,
    /// `InternalServerError` (500), …
    Error(&'static str),
    /// A transaction is canceled, with this code as the reason of the item at this place and `None` for the others.
    Canceled(usize, &'static str),
    /// The connection closes and the store never sees the call.
    Close,
    /// The store carries the call out, then the connection closes without an answer.
    LoseReply,
    /// The store sees the call so much later.
    Delay(Duration),
    /// Of a BatchGetItem all but the first so many items are left over, as by a throttled store.
    LeaveOver(usize),
}

impl Fault {
    /// In a few words, for reports.
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

/// How often which fault was met, by its name.
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

/// Where a call is held: before the store has seen it, or when it has been carried out and only the answer is missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Held {
    /// The store knows nothing of it yet.
    Before,
    /// The store has done it.
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
    /// What calls cost, once somebody wants to know.
    consumed: Option<Vec<Consumed>>,
    rules: Vec<Rule>,
    conflicts: Option<Arc<Conflicts>>,
    /// Whether rules and conflicts wait.
    calm: bool,
    met: Met,
}

struct Shared {
    upstream: String,
    http: reqwest::Client,
    state: Mutex<State>,
}

/// The proxy. It ends when it is dropped.
pub struct StoreProxy {
    server: Server,
    shared: Arc<Shared>,
}

/// Calls that wait at the proxy until the test says what becomes of them. Dropped, it closes their connections.
pub struct Hold {
    reached: watch::Receiver<usize>,
    verdict: watch::Sender<Verdict>,
}

impl Hold {
    /// Waits until `count` calls have been caught.
    pub async fn reached(&self, count: usize) {
        eventually(&format!("{count} calls are held"), Deadline::SOON, async || {
            let held = self.count();
            if held < count { Err(format!("{held} held")) } else { Ok(()) }
        })
        .await;
    }

    /// How many calls have been caught so far.
    pub fn count(&self) -> usize {
        *self.reached.borrow()
    }

    /// Lets the held calls, and those to come, through.
    pub fn forward(&self) {
        self.verdict.send_replace(Verdict::Forward);
    }

    /// Closes the connections of the held calls, and of those to come, with the store untouched.
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

    /// Where the functions find it.
    pub fn url(&self) -> String {
        self.server.url().to_owned()
    }

    /// The calls so far, or since [`StoreProxy::forget_calls`].
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state.lock().unwrap().calls.clone()
    }

    /// How many of the calls match.
    pub fn count(&self, matching: &Matching) -> usize {
        self.shared.state.lock().unwrap().calls.iter().filter(|call| matching.is(call)).count()
    }

    /// Counts from zero again.
    pub fn forget_calls(&self) {
        self.shared.state.lock().unwrap().calls.clear();
    }

    /// From now on the store is asked to say what its calls cost.
    pub fn start_metering(&self) {
        self.shared.state.lock().unwrap().consumed = Some(Vec::new());
    }

    /// Takes what the store says that its calls have cost, since [`StoreProxy::start_metering`] or the last taking.
    pub fn take_consumed(&self) -> Vec<Consumed> {
        self.shared.state.lock().unwrap().consumed.as_mut().map(std::mem::take).expect("metering has been started")
    }

    /// Takes how often calls have met which fault since the last taking: those that were planned and that no call has
    /// met yet are not among them.
    pub fn take_met(&self) -> Met {
        std::mem::take(&mut self.shared.state.lock().unwrap().met)
    }

    /// The next `times` calls that match meet this fault. Of several rules the oldest that matches holds.
    pub fn fault(&self, times: usize, matching: Matching, fault: Fault) {
        self.fault_after(0, times, matching, fault);
    }

    /// Lets `skip` calls that match pass; the next `times` meet this fault.
    pub fn fault_after(&self, skip: usize, times: usize, matching: Matching, fault: Fault) {
        self.add(Rule { matching, skip, left: times, action: Action::Fault(fault) });
    }

    /// Holds the next `times` calls that match.
    pub fn hold(&self, times: usize, matching: Matching) -> Hold {
        self.hold_at(Held::Before, 0, times, matching)
    }

    /// Lets `skip` calls that match pass, then holds the next `times`.
    pub fn hold_at(&self, at: Held, skip: usize, times: usize, matching: Matching) -> Hold {
        let (reached, caught) = watch::channel(0);
        let (decide, verdict) = watch::channel(Verdict::Wait);
        let action = Action::Hold { at, reached: Arc::new(reached), verdict };
        self.add(Rule { matching, skip, left: times, action });
        Hold { reached: caught, verdict: decide }
    }

    /// From now on each write holds its items for so long before the store sees it, and until the store has answered.
    /// Meanwhile other writes of these items meet a conflict, as with DynamoDB: a transaction is canceled, a plain
    /// write is refused while a transaction holds its item, and waits while another plain write does.
    pub fn set_conflicts(&self, hold: Duration) {
        self.shared.state.lock().unwrap().conflicts = Some(Conflicts::new(hold));
    }

    /// No faults and no conflicts any more. (Calls that are held stay held.)
    pub fn heal(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.rules.clear();
        state.conflicts = None;
    }

    /// While this is set, calls pass as if there were no faults; after it the faults that are left are met.
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
    // A task of its own: who gives up a call does not take it back from a slow store.
    tokio::spawn(answer(shared, head.headers, body)).await.map_err(|_| Closed)?
}

async fn answer(shared: Arc<Shared>, headers: HeaderMap, body: Bytes) -> Answered {
    let call = call(&headers, &body);
    let _items = match shared.claim(&call).await {
        Ok(claim) => claim,
        Err(conflict) => return Ok(conflict),
    };
    match shared.action(&call) {
        None => shared.forward(headers, body).await,
        Some(Action::Fault(Fault::Error(name))) => Ok(error(name)),
        Some(Action::Fault(Fault::Canceled(place, code))) => Ok(canceled(&call, &[place], code)),
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

fn call(headers: &HeaderMap, body: &Bytes) -> Call {
    let target = headers.get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
    Call { operation, body: String::from_utf8_lossy(body).into_owned() }
}

/// Waits for the verdict on a held call; an error closes its connection.
async fn decided(reached: &watch::Sender<usize>, mut verdict: watch::Receiver<Verdict>) -> Result<(), Closed> {
    reached.send_modify(|count| *count += 1);
    let decided = verdict.wait_for(|verdict| *verdict != Verdict::Wait).await.map_err(|_| Closed)?;
    if *decided == Verdict::Forward { Ok(()) } else { Err(Closed) }
}

impl Shared {
    /// Notes the call, and holds its items where writes conflict; `Err` is the answer to a call in conflict.
    async fn claim(&self, call: &Call) -> Result<Option<Claim>, Answer> {
        let conflicts = {
            let mut state = self.state.lock().unwrap();
            state.calls.push(call.clone());
            state.conflicts.clone().filter(|_| !state.calm)
        };
        let Some(conflicts) = conflicts else { return Ok(None) };
        let claim = conflicts.claim(call).await;
        if claim.is_err() {
            *self.state.lock().unwrap().met.entry(IN_CONFLICT).or_default() += 1;
        }
        claim
    }

    /// Takes the rule that is for the call.
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
        let measured = self.state.lock().unwrap().consumed.is_some().then(|| call(&headers, &body));
        if let Some(call) = &measured {
            headers.remove("content-length");
            body = units::asking(call).into();
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
