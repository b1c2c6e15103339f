//! The template as types.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::policy::Role;

/// The parts of the template that the runner runs.
#[derive(Clone, Debug, Default)]
pub struct Template {
    pub functions: Vec<Function>,
    /// The queues, dead-letter queues included.
    pub queues: Vec<Queue>,
    pub table: Table,
    pub secrets: Vec<Secret>,
    pub usage_plans: Vec<UsagePlan>,
    /// The REST API's own settings; its routes are triggers of the functions.
    pub api: Api,
}

/// A secret whose first value is generated.
#[derive(Clone, Debug)]
pub struct Secret {
    /// Its name on AWS.
    pub name: String,
    /// The value as a JSON object, without the generated text.
    pub value: serde_json::Map<String, Value>,
    /// The member of the value that gets the generated text.
    pub key: String,
    /// The characters of the generated text.
    pub length: usize,
}

#[derive(Clone, Debug, Default)]
pub struct Function {
    /// The resource's name in the template, as `CreateOrder`.
    pub logical_id: String,
    /// Folder, package and binary, as `create-order`: the last component of `CodeUri`.
    pub name: String,
    /// Its name on AWS, as `stack-create-order`.
    pub function_name: String,
    /// How long one invocation may take.
    pub timeout: Duration,
    /// Memory in MiB. It is not enforced. With `CPU_SHARES`, it decides the function's CPU.
    pub memory: u32,
    /// Its variables with `Globals` merged in.
    pub environment: BTreeMap<String, String>,
    /// Its role. `None`: it may only write its log and be triggered.
    pub role: Option<Role>,
    pub triggers: Vec<Trigger>,
}

/// A trigger of a function. Each names its function by [`Function::name`].
#[derive(Clone, Debug)]
pub enum Trigger {
    Route(Route),
    Queue(QueueTrigger),
    Stream(StreamTrigger),
    Schedule(Schedule),
}

#[derive(Clone, Debug)]
pub struct Route {
    pub function: String,
    /// Upper case.
    pub method: String,
    /// As `/v1/orders/{order_id}`.
    pub path: String,
    /// Whether the usage plan's throttle of the caller's key applies.
    pub api_key_required: bool,
    /// Whether it has no authorizer.
    pub public: bool,
}

impl Route {
    /// Path and method, as a usage plan writes them: `/v1/orders/GET`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.path, self.method)
    }
}

/// Messages of a queue that invoke a function.
#[derive(Clone, Debug, Default)]
pub struct QueueTrigger {
    pub function: String,
    /// The queue's logical id.
    pub queue: String,
    /// Messages in one invocation at most.
    pub batch_size: usize,
    /// How long to wait for a batch to fill; zero: not at all.
    pub batching_window: Duration,
    /// Invocations at the same time at most.
    pub max_concurrency: Option<usize>,
    /// Whether the answer names the messages that failed (`ReportBatchItemFailures`).
    pub report_item_failures: bool,
}

/// Records of the change stream that invoke a function.
#[derive(Clone, Debug)]
pub struct StreamTrigger {
    pub function: String,
    /// Records in one invocation at most.
    pub batch_size: usize,
    /// How long to wait for a batch to fill; zero: not at all.
    pub batching_window: Duration,
    /// Whether a batch that failed is halved before it is tried again.
    pub bisect: bool,
    /// Tries after the first; `None`: until the record's age ends it.
    pub retries: Option<u32>,
    /// A record older than this is given up; `None`: never.
    pub max_record_age: Option<Duration>,
    /// Logical id of the queue for batches that were given up.
    pub on_failure: Option<String>,
    /// Patterns of `FilterCriteria`; a record that matches none is skipped. Empty: all match.
    pub filters: Vec<Value>,
    /// Whether the answer names the records that failed (`ReportBatchItemFailures`).
    pub report_item_failures: bool,
}

#[derive(Clone, Debug)]
pub struct Schedule {
    pub function: String,
    /// The event's name in the template.
    pub name: String,
    /// The time from one invocation to the next (`rate(1 minute)`).
    pub every: Duration,
}

/// A standard queue.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// The resource's name in the template.
    pub logical_id: String,
    /// Its name on AWS.
    pub name: String,
    /// How long a received message is hidden.
    pub visibility: Duration,
    /// The default delay of a sent message.
    pub delay: Duration,
    pub retention: Duration,
    /// The default wait of a receive call.
    pub receive_wait: Duration,
    /// Where messages go that were received too often.
    pub redrive: Option<Redrive>,
}

/// Where messages go that were received too often.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// The dead-letter queue's logical id.
    pub dead_letter: String,
    /// Receives of a message before it is moved.
    pub max_receive_count: u32,
}

#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Its name on AWS.
    pub name: String,
    /// Its CloudFormation `Properties`, resolved.
    pub properties: Value,
}

/// A usage plan: the throttle of each API key in it.
#[derive(Clone, Debug)]
pub struct UsagePlan {
    /// The resource's name in the template; locally also the plan's id.
    pub logical_id: String,
    pub throttle: Throttle,
    /// The throttles of single routes, by [`Route::id`], for each key in place of `throttle`.
    pub routes: BTreeMap<String, Throttle>,
}

/// The REST API's own settings.
#[derive(Clone, Debug, Default)]
pub struct Api {
    pub stage: String,
    /// The throttle of each route that is not in `routes`, for all callers together.
    pub throttle: Option<Throttle>,
    /// The throttles of single routes, by [`Route::id`].
    pub routes: BTreeMap<String, Throttle>,
    /// The authorizer of all routes that are not public.
    pub authorizer: Option<Authorizer>,
    /// The gateway's own answers by kind, as `THROTTLED`.
    pub responses: BTreeMap<String, GatewayResponse>,
    /// The gateway's own answers to methods without a route.
    pub mocks: Vec<Mock>,
    /// The size in bytes from which answers are compressed for clients that accept it. `None`: no compression.
    pub compression_size_min: Option<usize>,
}

/// A token bucket's size.
#[derive(Clone, Copy, Debug)]
pub struct Throttle {
    /// Requests per second.
    pub rate: u32,
    /// Requests at once.
    pub burst: u32,
}

/// The `REQUEST` authorizer of the API.
#[derive(Clone, Debug)]
pub struct Authorizer {
    pub name: String,
    /// Its function's [`Function::name`].
    pub function: String,
    /// Headers that identify the caller. A request without one of them is refused.
    pub headers: Vec<String>,
    /// How long an answer is cached. Zero: no cache.
    pub cache: Duration,
}

/// A mock integration for any method of a path (`x-amazon-apigateway-any-method`), without authorizer and plan.
#[derive(Clone, Debug)]
pub struct Mock {
    /// As `/v1/orders/{order_id}`.
    pub path: String,
    /// Content types that it accepts.
    pub media_types: Vec<String>,
    pub answer: GatewayResponse,
}

/// The gateway's own answer for one kind of refusal.
#[derive(Clone, Debug, Default)]
pub struct GatewayResponse {
    /// The status; `None`: the kind's own.
    pub status: Option<u16>,
    /// Headers, their values without the mapping's inner quotes.
    pub headers: BTreeMap<String, String>,
    /// The template under `application/json`, with `$context.…` in it.
    pub body: Option<String>,
}

impl Template {
    /// The function with this folder, name on AWS or logical id.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| f.name == name || f.function_name == name || f.logical_id == name)
    }

    /// All triggers of all functions.
    pub fn triggers(&self) -> impl Iterator<Item = &Trigger> {
        self.functions.iter().flat_map(|function| &function.triggers)
    }

    /// The logical ids of the queues to which work goes that has failed too often.
    pub fn queues_of_failed_work(&self) -> Vec<String> {
        let dead_letters = self.queues.iter().filter_map(|queue| Some(queue.redrive.as_ref()?.dead_letter.clone()));
        let of_streams = self.triggers().filter_map(|trigger| match trigger {
            Trigger::Stream(stream) => stream.on_failure.clone(),
            Trigger::Route(_) | Trigger::Queue(_) | Trigger::Schedule(_) => None,
        });
        dead_letters.chain(of_streams).collect()
    }
}
