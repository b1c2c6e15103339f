//! Calls the authorizer and caches its answers.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::HeaderMap;
use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::invoke::Functions;
use crate::policy::is_like;
use crate::template::Authorizer as Settings;

/// Cached answers. When it is full, the expired ones are dropped, and if that is not enough, all.
const CACHE_MAX: usize = 10_000;

/// The authorizer's answer for a caller.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Identity {
    /// `requestContext.authorizer`: strings, and the principal's id.
    pub context: Map<String, Value>,
    /// The key whose usage plan throttles the caller.
    pub usage_key: Option<String>,
    policy: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq)]
struct Statement {
    allow: bool,
    resources: Vec<String>,
}

/// A call of the authorizer, for which several requests may wait.
type Call = Shared<BoxFuture<'static, Result<Identity, Refusal>>>;

pub(super) struct Authorizer {
    settings: Settings,
    functions: Functions,
    cache: Arc<Cache>,
}

/// What is known of each caller, by the values of the identifying headers.
#[derive(Default)]
struct Cache {
    /// Expiry (milliseconds since 1970) and identity.
    answers: Mutex<HashMap<String, (i64, Identity)>>,
    /// The calls under way. Requests of one caller wait for one call: when the answer of a busy caller expires, calls for
    /// each of its requests would keep all processes that this machine can run from every other caller.
    calls: Mutex<HashMap<String, Call>>,
}

impl Authorizer {
    pub fn new(settings: Settings, functions: Functions) -> Self {
        Self { settings, functions, cache: Arc::default() }
    }

    /// The caller that sends these headers. `event` is called only if the answer is not cached.
    pub async fn identify(
        &self, headers: &HeaderMap, method_arn: &str, now_ms: i64, event: impl FnOnce() -> Value,
    ) -> Result<Identity, Refusal> {
        let caches = !self.settings.cache.is_zero();
        let source = self.source(headers);
        if caches && source.is_none() {
            return Err(Refusal::Unauthorized);
        }
        let identity = match source.filter(|_| caches) {
            Some(source) => match self.cache.answer(&source, now_ms) {
                Some(identity) => identity,
                None => self.cache.call(&source, || self.ask_and_keep(&source, event(), now_ms)).await?,
            },
            None => ask(&self.functions, &self.settings.function, &event()).await?,
        };
        if allows(&identity.policy, method_arn) { Ok(identity) } else { Err(Refusal::AccessDenied) }
    }

    /// The values of all identifying headers. `None` if one of them is missing or empty.
    fn source(&self, headers: &HeaderMap) -> Option<String> {
        let mut source = String::new();
        for name in &self.settings.headers {
            let mut found = false;
            for value in headers.get_all(name) {
                found |= !value.is_empty();
                source.push_str(&String::from_utf8_lossy(value.as_bytes()));
                source.push('\n');
            }
            if !found {
                return None;
            }
        }
        Some(source)
    }

    /// Asks for this caller, and keeps the answer from `now_ms` on.
    fn ask_and_keep(&self, source: &str, event: Value, now_ms: i64) -> BoxFuture<'static, Result<Identity, Refusal>> {
        let (functions, cache) = (self.functions.clone(), Arc::clone(&self.cache));
        let (function, source) = (self.settings.function.clone(), source.to_owned());
        let lives = i64::try_from(self.settings.cache.as_millis()).unwrap_or(i64::MAX);
        // The call runs in a task of its own. If it ran only while a request waits for it, and the caller hung up, the
        // caller's next request would get an answer of that time.
        let call = tokio::spawn(async move {
            let answer = ask(&functions, &function, &event).await;
            if let Ok(identity) = &answer {
                cache.keep(&source, identity, now_ms, now_ms.saturating_add(lives));
            }
            lock(&cache.calls).remove(&source);
            answer
        });
        call.map(|answer| answer.unwrap_or(Err(Refusal::AuthorizerFailure))).boxed()
    }
}

impl Cache {
    fn answer(&self, source: &str, now_ms: i64) -> Option<Identity> {
        let answers = lock(&self.answers);
        let (expires_at, identity) = answers.get(source)?;
        (now_ms < *expires_at).then(|| identity.clone())
    }

    /// The call that is under way for this caller, or a new one.
    fn call(&self, source: &str, start: impl FnOnce() -> BoxFuture<'static, Result<Identity, Refusal>>) -> Call {
        lock(&self.calls).entry(source.to_owned()).or_insert_with(|| start().shared()).clone()
    }

    fn keep(&self, source: &str, identity: &Identity, now_ms: i64, expires_at: i64) {
        let mut answers = lock(&self.answers);
        if answers.len() >= CACHE_MAX {
            answers.retain(|_, (expires_at, _)| now_ms < *expires_at);
        }
        if answers.len() >= CACHE_MAX {
            answers.clear();
        }
        answers.insert(source.to_owned(), (expires_at, identity.clone()));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn ask(functions: &Functions, function: &str, event: &Value) -> Result<Identity, Refusal> {
    let payload = event.to_string().into_bytes();
    match functions.invoke(function, payload).await {
        Ok(answer) => read(&answer).ok_or(Refusal::AuthorizerConfigurationError),
        Err(error) if error.says_unauthorized() => Err(Refusal::Unauthorized),
        Err(_) => Err(Refusal::AuthorizerFailure),
    }
}

/// `None` if API Gateway would not accept the answer.
fn read(payload: &[u8]) -> Option<Identity> {
    let answered: Value = serde_json::from_slice(payload).ok()?;
    let mut context = Map::new();
    for (name, value) in answered["context"].as_object().into_iter().flatten() {
        // Functions see every value as a string. API Gateway refuses lists and objects.
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) => value.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => return None,
        };
        context.insert(name.clone(), text.into());
    }
    context.insert("principalId".to_owned(), answered["principalId"].as_str()?.into());
    let mut policy = Vec::new();
    for statement in answered["policyDocument"]["Statement"].as_array()? {
        let invokes = |action: &String| is_like("execute-api:invoke", &action.to_lowercase());
        if strings(&statement["Action"])?.iter().any(invokes) {
            policy.push(Statement {
                allow: match statement["Effect"].as_str()? {
                    "Allow" => true,
                    "Deny" => false,
                    _ => return None,
                },
                resources: strings(&statement["Resource"])?,
            });
        }
    }
    let usage_key = answered["usageIdentifierKey"].as_str().map(str::to_owned);
    Some(Identity { context, usage_key, policy })
}

/// One string or a list of them.
fn strings(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(all) => all.iter().map(|one| Some(one.as_str()?.to_owned())).collect(),
        _ => None,
    }
}

fn allows(policy: &[Statement], arn: &str) -> bool {
    let speaks = |statement: &&Statement| statement.resources.iter().any(|pattern| is_like(arn, pattern));
    let mut allowed = false;
    for statement in policy.iter().filter(speaks) {
        if !statement.allow {
            return false;
        }
        allowed = true;
    }
    allowed
}

#[cfg(test)]
#[path = "authorizer_tests.rs"]
mod tests;
