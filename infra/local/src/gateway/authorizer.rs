//! Calls the authorizer and caches its answers.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::http::HeaderMap;
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

pub(super) struct Authorizer {
    settings: Settings,
    functions: Functions,
    /// Expiry (milliseconds since 1970) and identity by the values of the identifying headers.
    cache: Mutex<HashMap<String, (i64, Identity)>>,
}

impl Authorizer {
    pub fn new(settings: Settings, functions: Functions) -> Self {
        Self { settings, functions, cache: Mutex::default() }
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
        let source = source.unwrap_or_default();
        let identity = match self.cached(&source, now_ms) {
            Some(identity) => identity,
            None => {
                let identity = self.ask(&event()).await?;
                if caches {
                    self.keep(source, &identity, now_ms);
                }
                identity
            }
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

    fn cached(&self, source: &str, now_ms: i64) -> Option<Identity> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires_at, identity) = cache.get(source)?;
        (now_ms < *expires_at).then(|| identity.clone())
    }

    fn keep(&self, source: String, identity: &Identity, now_ms: i64) {
        let lives = i64::try_from(self.settings.cache.as_millis()).unwrap_or(i64::MAX);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if cache.len() >= CACHE_MAX {
            cache.retain(|_, (expires_at, _)| now_ms < *expires_at);
        }
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(source, (now_ms.saturating_add(lives), identity.clone()));
    }

    async fn ask(&self, event: &Value) -> Result<Identity, Refusal> {
        let payload = event.to_string().into_bytes();
        let answer = self.functions.invoke(&self.settings.function, payload).await;
        match answer {
            Ok(answer) => read(&answer).ok_or(Refusal::AuthorizerConfigurationError),
            Err(error) if error.says_unauthorized() => Err(Refusal::Unauthorized),
            Err(_) => Err(Refusal::AuthorizerFailure),
        }
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
