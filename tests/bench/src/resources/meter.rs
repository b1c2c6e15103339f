//! A stack that counts everything AWS bills, and the resources that a function uses during some work.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;
use spillway_bench::cost::figures::Used;
use spillway_tests::consumed::Consumed;
use spillway_tests::receiver::Receiver;
use spillway_tests::store_proxy::{Fault, Matching};
use spillway_tests::table::Item;
use spillway_tests::units::Cost;
use spillway_tests::{Answer, Deadline, Merchant, Options, Stack, eventually};

use super::queue_proxy::QueueProxy;
use super::{QUEUE, STORE, sizes};
use crate::encrypted::Encrypted;

/// Fields of an invocation's log line; all other fields are metrics.
const SUMMARY: [&str; 11] = [
    "function",
    "request_id",
    "merchant",
    "source",
    "subjects",
    "outcome",
    "store_ms",
    "processor_ms",
    "total_ms",
    "cold",
    "retries",
];

/// The stack, and a merchant with a webhook endpoint.
pub struct Scene {
    pub stack: Stack,
    pub merchant: Merchant,
    pub receiver: Receiver,
    /// The payment that was created last.
    pub last_payment: String,
    /// Items that were already handed to the stream's consumer.
    pub dispatched: BTreeSet<(String, String)>,
    queues: QueueProxy,
    _encrypted: Encrypted,
}

impl Scene {
    /// Starts a stack without triggers. Each call of the table and of a queue takes [`STORE`] and [`QUEUE`] longer.
    pub async fn set(options: Options) -> Result<Scene, String> {
        let queues = QueueProxy::start(QUEUE).await;
        let encrypted = Encrypted::start().await.map_err(|error| error.to_string())?;
        let variables = encrypted.before_queues(queues.url());
        let options = options.encrypted_store_proxy(encrypted.authority()).keep_lines_with(variables);
        // No message is delayed: no poller would receive it later.
        let stack = Stack::try_start(options.knob("FOLD_DELAY_SECONDS", 0).unkilled()).await?;
        queues.set_upstream(stack.description()["sqs_url"].as_str().unwrap_or_default());
        let merchant = stack.new_merchant().await;
        let receiver = Receiver::start().await;
        merchant.client.create_webhook_endpoint(receiver.url(), &["payment.*"]).await;
        let proxy = stack.store_proxy();
        // A real processor has no items in the table; its duration is a setting of `make cost`.
        proxy.fault(usize::MAX, Matching::all().with("\"sandbox#"), Fault::Delay(Duration::ZERO));
        proxy.fault(usize::MAX, Matching::all(), Fault::Delay(STORE));
        proxy.start_metering();
        let (last_payment, dispatched) = Default::default();
        Ok(Scene { stack, merchant, receiver, last_payment, dispatched, queues, _encrypted: encrypted })
    }

    /// Resources that the function uses while `work` makes it run this often, and the result of `work`.
    pub async fn metered<T>(
        &self, function: &str, times: usize, work: impl AsyncFnOnce() -> T,
    ) -> Result<(T, Used), String> {
        let proxy = self.stack.store_proxy();
        drop((proxy.take_consumed(), self.queues.take_requests()));
        let before = self.reading(function)?;
        let given = work().await;
        let expected = before.invocations + u64::try_from(times).unwrap_or_default();
        // An answer may arrive before its log line.
        let waited = format!("{function} has written its lines");
        let after = eventually(&waited, Deadline::SOON, async || {
            let reading = self.reading(function)?;
            let there = reading.invocations;
            if there < expected { Err(format!("{there} of {expected}")) } else { Ok(reading) }
        });
        let mut used = after.await;
        used.invocations -= before.invocations;
        used.billed_ms -= before.billed_ms;
        used.cpu_us -= before.cpu_us;
        used.log_lines -= before.log_lines;
        used.log_bytes -= before.log_bytes;
        used.metric_lines -= before.metric_lines;
        used.metric_bytes -= before.metric_bytes;
        let consumed = proxy.take_consumed();
        let cost = Cost::of(consumed.iter().filter(|each: &&Consumed| !each.is_the_sandboxs()));
        used.store_calls = u64::try_from(cost.calls).unwrap_or_default();
        (used.write_units, used.read_half_units) = (cost.write_units, cost.read_halves);
        for (action, count) in self.queues.take_requests() {
            match action.as_str() {
                "SendMessage" | "SendMessageBatch" => used.sends += count,
                "ChangeMessageVisibility" => used.waits += count,
                other => return Err(format!("{function} calls {other}, which is not counted here")),
            }
        }
        Ok((given, used))
    }

    /// Bytes of the answer to a GET, which must succeed.
    pub async fn get(&self, path: &str) -> u64 {
        answer_bytes(&self.merchant.client.get(path).await.expect(200))
    }

    /// Bytes that DynamoDB bills for the merchant's items: those that stay, and those that expire.
    pub async fn stored_bytes(&self) -> [u64; 2] {
        let items = self.stack.table().items().await;
        let own = items.iter().filter(|item| item["pk"].as_str().is_some_and(|pk| pk.starts_with(&self.merchant.id)));
        let (expiring, kept): (Vec<&Item>, Vec<&Item>) = own.partition(|item| item.contains_key("expires_at"));
        [kept, expiring].map(|items| items.iter().map(|item| sizes::stored(item) as u64).sum())
    }

    /// Resources of the function's processes so far: log lines and CPU time.
    fn reading(&self, function: &str) -> Result<Used, String> {
        let mut used = Used::default();
        for line in self.stack.printed(function).iter().flat_map(|printed| printed.lines()) {
            used.log_lines += 1;
            used.log_bytes += u64::try_from(line.len()).unwrap_or_default();
            let fields: Value = serde_json::from_str(line).map_err(|error| format!("{function}: {error}: {line}"))?;
            if fields["message"] == "invocation" {
                used.invocations += 1;
                // Lambda bills every started millisecond.
                used.billed_ms += fields["total_ms"].as_u64().ok_or_else(|| format!("no total_ms: {line}"))? + 1;
            }
            if let (Some(fields), true) = (fields.as_object(), fields.get("_aws").is_some()) {
                let alone = fields.iter().filter(|(name, _)| !SUMMARY.contains(&name.as_str()));
                let alone: Value = alone.map(|(name, value)| (name.clone(), value.clone())).collect();
                used.metric_lines += 1;
                used.metric_bytes += u64::try_from(alone.to_string().len()).unwrap_or_default();
            }
        }
        used.cpu_us = self.stack.function_pids(function).into_iter().map(cpu_us).sum();
        Ok(used)
    }
}

/// The bytes of an answer: its lines and its body.
pub fn answer_bytes(answer: &Answer) -> u64 {
    let headers = answer.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    u64::try_from(headers.sum::<usize>() + answer.text.len()).unwrap_or_default()
}

/// CPU time of all threads of a process so far.
pub fn cpu_us(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let on_core = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    });
    on_core.sum::<u64>() / 1000
}
