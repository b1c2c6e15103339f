//! Stands in for IAM: checks each function's calls against its role in the template, so that a missing permission fails
//! here as on AWS.
//!
//! A function's access key is its name, which the SDK sends with every call. [`front`] checks the calls to the table,
//! the queues' server, the plan keys' routes and the secrets' routes check their own. A trigger's needs are checked when the template is
//! read. Logs and traces are not checked. Callers without a function's name may do everything: tests, tools, and
//! functions under `cargo lambda watch`, which share one environment. With `ROLES=off` all callers may.

mod front;
mod queue_call;
mod store_call;
#[cfg(test)]
mod tests;
mod used;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;

pub use front::{Front, FrontError, serve};

pub use store_call::Store;

use crate::arn::{self, ACCOUNT};
use crate::log::Log;
use crate::policy::{Access, Role};
use crate::template::{Template, trigger};
use used::Used;

/// Every function's role and its use. Cheap to clone.
#[derive(Clone)]
pub struct Roles(Arc<Inner>);

struct Inner {
    region: String,
    log: Log,
    functions: BTreeMap<String, Member>,
    /// Calls of the table, the queues, the secrets and the management API, with any signature.
    calls: AtomicU64,
}

/// One function.
struct Member {
    role: Role,
    /// The name of the role's session. Lambda uses the function's name.
    session: String,
    used: Mutex<Used>,
}

/// A function that calls.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    name: &'a str,
    member: &'a Member,
    log: &'a Log,
}

/// A refused call, with the text of AWS.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "User: {user} is not authorized to perform: {action} on resource: {resource} because no identity-based policy \
     allows the {action} action"
)]
pub struct Refusal {
    pub user: String,
    pub action: String,
    pub resource: String,
}

impl Roles {
    /// The roles of the template's functions. The needs of their triggers count as used.
    pub fn new(template: &Template, region: &str, log: Log) -> Self {
        let member = |function: &crate::template::Function| {
            // SAM creates a role for it that only allows its log and its triggers.
            let role = function.role.clone().unwrap_or_else(|| Role::bare(&format!("{}Role", function.logical_id)));
            let member = Member { role, session: function.function_name.clone(), used: Mutex::default() };
            (function.name.clone(), member)
        };
        let queue = |logical_id: &str| {
            let queue = template.queues.iter().find(|queue| queue.logical_id == logical_id);
            arn::queue(region, queue.map_or(logical_id, |queue| &queue.name))
        };
        let stream = arn::stream(region, &template.table.name, "local");
        let functions = template.functions.iter().map(|function| {
            let (name, member) = member(function);
            for trigger in &function.triggers {
                for access in trigger::needs(trigger, queue, &stream) {
                    member.allows(&access);
                }
            }
            (name, member)
        });
        Self(Arc::new(Inner {
            region: region.to_owned(),
            log,
            functions: functions.collect(),
            calls: AtomicU64::new(0),
        }))
    }

    /// Allows all calls.
    pub fn off(region: &str, log: Log) -> Self {
        Self(Arc::new(Inner { region: region.to_owned(), log, functions: BTreeMap::new(), calls: AtomicU64::new(0) }))
    }

    /// The function that signed a call with this `Authorization`. `None` for other callers, who may do everything.
    pub fn caller(&self, authorization: Option<&str>) -> Option<Caller<'_>> {
        self.0.calls.fetch_add(1, Ordering::Relaxed);
        let (_, credential) = authorization?.split_once("Credential=")?;
        let key = credential.split('/').next()?;
        let (name, member) = self.0.functions.get_key_value(key)?;
        Some(Caller { name, member, log: &self.0.log })
    }

    /// How many calls have reached the table, the queues, the secrets and the management API. With `ROLES=off` calls to the table are
    /// not counted, because they bypass [`front`].
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Ordering::Relaxed)
    }

    /// Refuses a call of SQS that its signer's role does not allow.
    pub fn check_queue_call(&self, authorization: Option<&str>, operation: &str, body: &[u8]) -> Result<(), Refusal> {
        let Some(caller) = self.caller(authorization) else {
            return Ok(());
        };
        let body = serde_json::from_slice(body).unwrap_or_default();
        let checked = caller.check(&queue_call::needs(&self.0.region, operation, &body));
        // SQS writes its actions in lower case.
        checked.map_err(|refusal| Refusal { action: refusal.action.to_lowercase(), ..refusal })
    }

    /// Refuses a call of API Gateway's management API that its signer's role does not allow.
    pub fn check_management_call(&self, authorization: Option<&str>, method: &str, path: &str) -> Result<(), Refusal> {
        let Some(caller) = self.caller(authorization) else {
            return Ok(());
        };
        let resource = arn::management(&self.0.region, path);
        caller.check(&[Access::new(&format!("apigateway:{method}"), &resource)])
    }

    /// Refuses a call of Secrets Manager that its signer's role does not allow.
    pub fn check_secret_call(&self, authorization: Option<&str>, operation: &str, arn: &str) -> Result<(), Refusal> {
        let Some(caller) = self.caller(authorization) else {
            return Ok(());
        };
        caller.check(&[Access::new(&format!("secretsmanager:{operation}"), arn)])
    }

    /// `GET /_roles`: the allowed, used and refused accesses of each function.
    pub fn routes(&self) -> Router {
        let roles = self.clone();
        Router::new().route("/_roles", get(async move || Json(roles.report())))
    }

    fn report(&self) -> Value {
        let functions = self.0.functions.iter();
        functions.map(|(name, member)| (name.clone(), member.with_used(|used| used.report(&member.role)))).collect()
    }
}

impl Caller<'_> {
    /// Refuses and logs the first of these accesses that the role does not allow.
    pub fn check(&self, needs: &[Access]) -> Result<(), Refusal> {
        let Some(refused) = needs.iter().find(|access| !self.member.allows(access)) else {
            return Ok(());
        };
        let role = &self.member.role.name;
        self.log.warning(self.name, &format!("its role {role} does not allow {refused}"));
        self.member.with_used(|used| used.refused(refused));
        Err(Refusal {
            user: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{}", self.member.session),
            action: refused.action.clone(),
            resource: refused.resource.clone(),
        })
    }
}

impl Member {
    fn allows(&self, access: &Access) -> bool {
        let Some(allowed) = self.role.allows(access) else {
            return false;
        };
        self.with_used(|used| used.allowed(&self.role, access, allowed));
        true
    }

    fn with_used<T>(&self, act: impl FnOnce(&mut Used) -> T) -> T {
        act(&mut self.used.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
