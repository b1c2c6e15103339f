//! A client of the API, as merchants write it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

pub use crate::api::answer::{Answer, Served, expect_one_result};
use crate::api::eventually::{Deadline, eventually};
use crate::api::meter::Meter;
use crate::api::terms;

/// Wait before a repeat if the answer gives none.
const PAUSE: Duration = Duration::from_millis(150);
/// The same for a client whose waits grow, as the API reference says.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// Longest extra wait in milliseconds, which spreads concurrent clients.
const SPREAD_MS: u64 = 200;

fn spread() -> Duration {
    Duration::from_millis(fastrand::u64(0..SPREAD_MS))
}

/// One API key's access to the API.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: String,
    secret: String,
    plan_key: Option<String>,
    /// Whether it waits and repeats after a 429.
    waits: bool,
    /// Longest of the waits that double with each repeat; zero if they do not grow.
    longest_wait: Duration,
    /// Notes each request.
    meter: Option<Arc<Meter>>,
}

/// A request; each part can be replaced by an invalid one.
#[derive(Debug, Clone)]
pub struct Request {
    client: Client,
    method: Method,
    path: String,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(http: &reqwest::Client, base_url: &str, secret: &str) -> Client {
        Client {
            http: http.clone(),
            base_url: base_url.to_owned(),
            secret: secret.to_owned(),
            plan_key: None,
            waits: false,
            longest_wait: Duration::ZERO,
            meter: None,
        }
    }

    /// A copy that sends the merchant's plan key, for a gateway that requires it.
    pub(crate) fn with_plan_key(self, plan_key: Option<String>) -> Client {
        Client { plan_key, ..self }
    }

    /// A copy that waits and repeats after a 429: for stacks whose plans allow few requests a second, in tests of other
    /// things.
    pub(crate) fn waiting_its_turn(self) -> Client {
        Client { waits: true, ..self }
    }

    /// A copy that repeats as the API reference asks: the first wait is `Retry-After` or one second, each further one
    /// twice as long, up to `longest`, and each is up to half longer at random. `meter` notes each request.
    pub(crate) fn backing_off(self, longest: Duration, meter: &Arc<Meter>) -> Client {
        Client { longest_wait: longest, meter: Some(Arc::clone(meter)), ..self }
    }

    /// The wait after the `tries`th answer, which asked for `asked`.
    fn nth_wait(&self, asked: Option<Duration>, tries: u32) -> Duration {
        if self.longest_wait.is_zero() {
            return asked.unwrap_or(PAUSE) + spread();
        }
        let asked = asked.unwrap_or(FIRST_WAIT);
        let doubled = asked.saturating_mul(2_u32.saturating_pow(tries - 1));
        let wait = asked.max(doubled.min(self.longest_wait));
        wait + wait * fastrand::u32(0..50) / 100
    }

    /// Whether it sends a plan key, which no client on AWS does.
    pub fn sends_plan_key(&self) -> bool {
        self.plan_key.is_some()
    }

    /// The API key.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// A request to a path below `/v1` with no header but the key.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let request = Request {
            client: self.clone(),
            method,
            path: path.to_owned(),
            headers: HeaderMap::new(),
            body: Vec::new(),
        };
        let request = request.header("authorization", &format!("Bearer {}", self.secret));
        match &self.plan_key {
            Some(key) => request.header("x-api-key", key),
            None => request,
        }
    }

    /// A GET of a path below `/v1`.
    pub async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// A valid request that creates a payment.
    pub fn payment_request(&self, idempotency_key: &str, payment: &Value) -> Request {
        let request = self.request(Method::POST, "/payments").header("content-type", "application/json");
        request.header("idempotency-key", idempotency_key).body(payment.to_string())
    }

    /// Creates a payment.
    pub async fn create_payment(&self, idempotency_key: &str, payment: &Value) -> Answer {
        self.payment_request(idempotency_key, payment).send().await
    }

    /// Creates a payment that must be accepted, under its own idempotency key; returns its id.
    pub async fn pay(&self, amount: u64, currency: &str, token: &str) -> String {
        let payment = json!({"amount": amount, "currency": currency, "token": token});
        self.create_payment(&unique(), &payment).await.expect(202).id().to_owned()
    }

    /// The payment.
    pub async fn payment(&self, id: &str) -> Value {
        self.get(&format!("/payments/{id}")).await.expect(200).body
    }

    /// Waits until the payment is final; returns it.
    pub async fn finished(&self, id: &str) -> Value {
        eventually("the payment is final", Deadline::LATER, async || {
            let payment = self.payment(id).await;
            if payment["status"] == "processing" { Err(payment.to_string()) } else { Ok(payment) }
        })
        .await
    }

    /// Creates a payment and waits until it has succeeded; returns it.
    pub async fn paid(&self, amount: u64, currency: &str) -> Value {
        let id = self.pay(amount, currency, "tok_visa").await;
        let payment = self.finished(&id).await;
        assert_eq!(payment["status"], "succeeded", "{payment}");
        payment
    }

    /// The merchant's (available, pending) in a currency.
    pub async fn balance(&self, currency: &str) -> (i64, i64) {
        let balance = self.get("/balance").await.expect(200).body;
        let balances = balance["balances"].as_array().unwrap();
        let found = balances.iter().find(|balance| balance["currency"] == currency);
        let amount = |field: &str| found.map_or(0, |balance| balance[field].as_i64().unwrap());
        (amount("available"), amount("pending"))
    }

    /// Fails the test unless the API refuses the key with 401.
    pub async fn expect_refused(&self) {
        let payment = terms::payment();
        let answers: [Answer; 3] = [
            self.get("/balance").await,
            self.get("/payments/pay_0").await,
            self.create_payment(&unique(), &payment).await,
        ];
        for answer in answers {
            answer.expect_problem(401, "unauthorized");
        }
    }

    /// A request that refunds a payment.
    pub fn refund_request(&self, payment: &str, idempotency_key: &str, amount: u64) -> Request {
        let path = format!("/payments/{payment}/refunds");
        let request = self.request(Method::POST, &path).header("content-type", "application/json");
        let body = json!({"amount": amount, "reason": "Returned"});
        request.header("idempotency-key", idempotency_key).body(body.to_string())
    }

    /// A valid request that creates a webhook endpoint.
    pub fn webhook_endpoint_request(&self, idempotency_key: &str, url: &str, event_types: &[&str]) -> Request {
        let request = self.request(Method::POST, "/webhook-endpoints").header("content-type", "application/json");
        let body = json!({"url": url, "event_types": event_types});
        request.header("idempotency-key", idempotency_key).body(body.to_string())
    }

    /// Creates a webhook endpoint under its own idempotency key; returns it with its secret.
    pub async fn create_webhook_endpoint(&self, url: &str, event_types: &[&str]) -> Value {
        self.webhook_endpoint_request(&unique(), url, event_types).send().await.expect(201).body
    }

    /// A request that changes this version of a webhook endpoint.
    pub fn webhook_endpoint_change(&self, id: &str, version: u64, change: &Value) -> Request {
        let request = self.request(Method::PATCH, &format!("/webhook-endpoints/{id}"));
        let request = request.header("content-type", "application/json").header("if-match", &format!("\"{version}\""));
        request.body(change.to_string())
    }

    /// A POST to `rotate-secret` or `test` of a webhook endpoint.
    pub fn webhook_endpoint_action(&self, id: &str, action: &str, idempotency_key: &str) -> Request {
        let request = self.request(Method::POST, &format!("/webhook-endpoints/{id}/{action}"));
        request.header("idempotency-key", idempotency_key)
    }

    /// A request that deletes a webhook endpoint.
    pub fn webhook_endpoint_deletion(&self, id: &str) -> Request {
        self.request(Method::DELETE, &format!("/webhook-endpoints/{id}"))
    }

    /// The webhook endpoint.
    pub async fn webhook_endpoint(&self, id: &str) -> Value {
        self.get(&format!("/webhook-endpoints/{id}")).await.expect(200).body
    }
}

impl Request {
    /// Adds a header; one of the same name stays.
    pub fn header(self, name: &str, value: &str) -> Request {
        self.header_bytes(name, value.as_bytes())
    }

    /// Adds a header whose value need not be UTF-8.
    pub fn header_bytes(mut self, name: &str, value: &[u8]) -> Request {
        self.headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap());
        self
    }

    /// Removes every header of this name.
    pub fn without(mut self, name: &str) -> Request {
        self.headers.remove(name);
        self
    }

    /// Replaces the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Request {
        self.body = body.into();
        self
    }

    /// Sends it; fails the test without an answer.
    pub async fn send(&self) -> Answer {
        self.try_send().await.unwrap()
    }

    /// Sends it `count` times concurrently; fails the test without an answer.
    pub async fn send_at_once(&self, count: usize) -> Vec<Answer> {
        join_all((0..count).map(|_| self.send())).await
    }

    /// Sends it until the answer is not 5xx, which a loaded machine may give. `Err` is a connection error.
    pub async fn send_until_served(&self) -> reqwest::Result<Answer> {
        eventually("the request is served", Deadline::LATER, async || match self.try_send().await {
            Ok(answer) if answer.status.is_server_error() => Err(answer.text),
            answer => Ok(answer),
        })
        .await
    }

    /// Sends it as clients should: after a 429, a 5xx or a failed connection it waits as `Retry-After` says and
    /// repeats, for at most `patience`. It is sent at least once.
    pub async fn send_patiently(&self, patience: Duration) -> Served {
        let until = Instant::now() + patience;
        let (mut tries, mut errors) = (0, Vec::new());
        loop {
            tries += 1;
            let began = Instant::now();
            let last = self.try_send().await;
            let took = began.elapsed();
            let asked = match &last {
                Ok(answer) if answer.says_later() => answer.retry_after(),
                Ok(_) => return Served { last, tries, took, errors },
                Err(_) => None,
            };
            let wait = self.client.nth_wait(asked, tries);
            if Instant::now() + wait >= until {
                return Served { last, tries, took, errors };
            }
            errors.push(last.map_or_else(|_| "no answer".to_owned(), |answer| answer.named()));
            tokio::time::sleep(wait).await;
        }
    }

    /// Sends it; `Err` is a connection error.
    pub async fn try_send(&self) -> reqwest::Result<Answer> {
        let until = Instant::now() + Deadline::LATER;
        loop {
            let answer = self.send_once().await?;
            if !self.client.waits || answer.status != 429 || Instant::now() > until {
                return Ok(answer);
            }
            tokio::time::sleep(answer.retry_after().unwrap_or(PAUSE) + spread()).await;
        }
    }

    async fn send_once(&self) -> reqwest::Result<Answer> {
        let url = format!("{}{}", self.client.base_url, self.path);
        let request = self.client.http.request(self.method.clone(), url).headers(self.headers.clone());
        let at = Instant::now();
        let answered = answered(request.body(self.body.clone())).await;
        if let Some(meter) = &self.client.meter {
            meter.note(at, answered.as_ref().ok().map(|answer| answer.status.as_u16()));
        }
        answered
    }
}

/// The answer, read completely.
async fn answered(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let answer = request.send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let text = answer.text().await?;
    let body = serde_json::from_str(&text).unwrap_or_default();
    Ok(Answer { status, headers, text, body })
}

/// A unique text for idempotency keys and references.
pub fn unique() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// How long a test waits for an answer: longer than any function's timeout.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(80);

/// An HTTP client that ignores proxies and follows no redirects, so that all traffic stays on this machine.
pub(crate) fn http() -> reqwest::Client {
    http_within(ANSWER_LIMIT)
}

/// An HTTP client for this URL. It follows no redirects. It uses the environment's proxy unless the URL is on this
/// machine.
pub(crate) fn http_to(url: &str) -> reqwest::Client {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    if host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]") {
        return http();
    }
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    client.timeout(ANSWER_LIMIT).build().unwrap()
}

/// A client as [`http`] makes it, with this time limit.
pub(crate) fn http_within(limit: Duration) -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
    client.timeout(limit).build().unwrap()
}
