//! Stands in for API Gateway's own management API, as far as merchants' plan keys need it: the
//! calls that make a key, find it and put it into a usage plan. The keys are kept in a file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path as Segment, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::roles::{Refusal, Roles};
use crate::template::UsagePlan;

/// Shorter values are refused by API Gateway too.
const VALUE_MIN: usize = 20;

/// The keys and their plans. Cheap to clone.
#[derive(Clone)]
pub struct PlanKeys(Arc<Inner>);

struct Inner {
    file: PathBuf,
    plans: Vec<String>,
    keys: Mutex<Vec<Key>>,
    /// How often a function has asked for a key.
    asked: AtomicU64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
struct Key {
    id: String,
    name: String,
    value: String,
    enabled: bool,
    plan: Option<String>,
}

impl PlanKeys {
    /// The keys in `file`, which need not be there yet, for these plans.
    /// Fails also when the file is not what this runner wrote.
    pub fn open(file: &Path, plans: &[UsagePlan]) -> std::io::Result<Self> {
        let keys = match std::fs::read(file) {
            Ok(text) => serde_json::from_slice(&text)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Ok(Self(Arc::new(Inner {
            file: file.to_owned(),
            plans: plans.iter().map(|plan| plan.logical_id.clone()).collect(),
            keys: Mutex::new(keys),
            asked: AtomicU64::new(0),
        })))
    }

    /// The usage plan that the enabled key of this value is in.
    pub fn plan(&self, value: &str) -> Option<String> {
        let keys = self.keys();
        let key = keys.iter().find(|key| key.value == value && key.enabled)?;
        key.plan.clone()
    }

    /// How often a function has asked for a key, to find it or to make it: creating a merchant always does, so a
    /// merchant that was created without it belongs to another stack.
    pub fn asked(&self) -> u64 {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// The management calls, to functions as far as their roles allow.
    pub fn routes(&self, roles: Roles) -> Router {
        Router::new()
            .route("/apikeys", post(create).get(list))
            .route("/usageplans/{plan}/keys", post(attach))
            .route_layer(middleware::from_fn_with_state(roles, check))
            .with_state(self.clone())
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Key>> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the keys once the changed ones are on disk.
    fn change<T>(&self, change: impl FnOnce(&mut Vec<Key>) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut keys = self.keys();
        let mut changed = keys.clone();
        let result = change(&mut changed)?;
        let text = serde_json::to_vec_pretty(&changed)?;
        crate::files::write(&self.0.file, &text)?;
        *keys = changed;
        Ok(result)
    }
}

#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error("{0}")]
    BadRequest(&'static str),
    #[error("{0}")]
    Conflict(&'static str),
    #[error("{0}")]
    NotFound(&'static str),
    #[error(transparent)]
    AccessDenied(#[from] Refusal),
    #[error("the keys cannot be kept: {0}")]
    Io(#[from] std::io::Error),
    #[error("the keys cannot be kept: {0}")]
    Json(#[from] serde_json::Error),
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let (status, kind) = match self {
            Self::BadRequest(_) => (StatusCode::BAD_REQUEST, "BadRequestException"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "ConflictException"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "NotFoundException"),
            Self::AccessDenied(_) => (StatusCode::FORBIDDEN, "AccessDeniedException"),
            Self::Io(_) | Self::Json(_) => (StatusCode::INTERNAL_SERVER_ERROR, "InternalServerException"),
        };
        let body = Json(json!({"message": self.to_string()}));
        (status, [("x-amzn-errortype", kind)], body).into_response()
    }
}

async fn check(State(roles): State<Roles>, request: Request, next: Next) -> Result<Response, Fault> {
    let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
    roles.check_management_call(authorization, request.method().as_str(), request.uri().path())?;
    Ok(next.run(request).await)
}

#[derive(Deserialize)]
struct NewKey {
    #[serde(default)]
    name: String,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    enabled: bool,
}

async fn create(State(keys): State<PlanKeys>, Json(new): Json<NewKey>) -> Result<(StatusCode, Json<Value>), Fault> {
    keys.0.asked.fetch_add(1, Ordering::Relaxed);
    let value = new.value.unwrap_or_else(|| Uuid::new_v4().simple().to_string());
    if value.len() < VALUE_MIN {
        return Err(Fault::BadRequest("API Key value should be at least 20 characters"));
    }
    let key = keys.change(|keys| {
        if keys.iter().any(|key| key.value == value) {
            return Err(Fault::Conflict("API Key already exists"));
        }
        let key =
            Key { id: Uuid::new_v4().simple().to_string(), name: new.name, value, enabled: new.enabled, plan: None };
        keys.push(key.clone());
        Ok(key)
    })?;
    Ok((StatusCode::CREATED, Json(view(&key, true))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    name: Option<String>,
    #[serde(default)]
    include_values: bool,
}

async fn list(State(keys): State<PlanKeys>, Query(filter): Query<Filter>) -> Json<Value> {
    keys.0.asked.fetch_add(1, Ordering::Relaxed);
    let named = |key: &&Key| {
        let name = filter.name.as_deref();
        name.is_none_or(|name| key.name.starts_with(name))
    };
    let keys = keys.keys();
    let found = keys.iter().filter(named);
    let found: Vec<_> = found.map(|key| view(key, filter.include_values)).collect();
    Json(json!({"item": found}))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NewPlanKey {
    key_id: String,
}

async fn attach(
    State(keys): State<PlanKeys>, Segment(plan): Segment<String>, Json(new): Json<NewPlanKey>,
) -> Result<(StatusCode, Json<Value>), Fault> {
    if !keys.0.plans.contains(&plan) {
        return Err(Fault::NotFound("Invalid Usage Plan ID specified"));
    }
    let key = keys.change(|keys| {
        let key = keys.iter_mut().find(|key| key.id == new.key_id);
        let key = key.ok_or(Fault::NotFound("Invalid API Key identifier specified"))?;
        if key.plan.is_some() {
            return Err(Fault::Conflict("Usage Plan already has the key for this stage"));
        }
        key.plan = Some(plan);
        Ok(key.clone())
    })?;
    let body = json!({"id": key.id, "type": "API_KEY", "name": key.name, "value": key.value});
    Ok((StatusCode::CREATED, Json(body)))
}

fn view(key: &Key, with_value: bool) -> Value {
    let mut view = json!({
        "id": key.id, "name": key.name, "enabled": key.enabled, "stageKeys": [],
    });
    if with_value {
        view["value"] = key.value.as_str().into();
    }
    view
}
