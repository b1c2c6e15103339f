//! Stands in for API Gateway's management API, as far as API keys of usage plans need it: the calls that create a key,
//! find it and add it to a usage plan. The keys are stored in a file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path as Segment, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::roles::{Refusal, Roles};
use crate::template::UsagePlan;

/// API Gateway's minimum length of a key's value.
const VALUE_MIN: usize = 20;

/// The time to add a key to a plan. API Gateway refuses other changes of plans meanwhile. On AWS it is about a second,
/// which would only make tests slow.
const CHANGE: Duration = Duration::from_millis(20);

/// The keys and their plans. Cheap to clone.
#[derive(Clone)]
pub struct PlanKeys(Arc<Inner>);

struct Inner {
    file: PathBuf,
    plans: Vec<String>,
    keys: Mutex<Vec<Key>>,
    /// Locked while a plan is changed.
    changing: tokio::sync::Mutex<()>,
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
    /// The keys in `file`, if it exists, for these plans. Errors also if the file has another format.
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
            changing: tokio::sync::Mutex::default(),
        })))
    }

    /// The usage plan of the enabled key with this value.
    pub fn plan(&self, value: &str) -> Option<String> {
        let keys = self.keys();
        let key = keys.iter().find(|key| key.value == value && key.enabled)?;
        key.plan.clone()
    }

    /// The calls of the management API. Functions' calls are checked against their roles.
    pub fn routes(&self, roles: Roles) -> Router {
        Router::new()
            .route("/apikeys", post(create).get(list))
            .route("/usageplans/{plan}/keys", post(attach))
            .route("/usageplans/{plan}/keys/{key}", get(show))
            .route_layer(middleware::from_fn_with_state(roles, check))
            .with_state(self.clone())
    }

    fn check_plan(&self, plan: &str) -> Result<(), Fault> {
        let known = self.0.plans.iter().any(|known| known == plan);
        if known { Ok(()) } else { Err(Fault::NotFound("Invalid Usage Plan ID specified")) }
    }

    fn keys(&self) -> MutexGuard<'_, Vec<Key>> {
        self.0.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the keys on disk, then in memory.
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
    #[error("the keys cannot be stored: {0}")]
    Io(#[from] std::io::Error),
    #[error("the keys cannot be stored: {0}")]
    Json(#[from] serde_json::Error),
}

const NO_KEY: Fault = Fault::NotFound("Invalid API Key identifier specified");

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
    keys.check_plan(&plan)?;
    let Ok(_turn) = keys.0.changing.try_lock() else {
        let why = "Unable to complete operation due to concurrent modification. Please try again later.";
        return Err(Fault::Conflict(why));
    };
    tokio::time::sleep(CHANGE).await;
    let key = keys.change(|keys| {
        let key = keys.iter_mut().find(|key| key.id == new.key_id);
        let key = key.ok_or(NO_KEY)?;
        if key.plan.is_some() {
            return Err(Fault::Conflict("Usage Plan already has the key for this stage"));
        }
        key.plan = Some(plan);
        Ok(key.clone())
    })?;
    Ok((StatusCode::CREATED, Json(view_in_plan(&key))))
}

/// Returns a key of this plan.
async fn show(
    State(keys): State<PlanKeys>, Segment((plan, id)): Segment<(String, String)>,
) -> Result<Json<Value>, Fault> {
    keys.check_plan(&plan)?;
    let keys = keys.keys();
    let key = keys.iter().find(|key| key.id == id && key.plan.as_deref() == Some(&plan));
    key.map(|key| Json(view_in_plan(key))).ok_or(NO_KEY)
}

fn view_in_plan(key: &Key) -> Value {
    json!({"id": key.id, "type": "API_KEY", "name": key.name, "value": key.value})
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::tests::Scratch;
    use crate::template::Throttle;

    #[tokio::test]
    async fn a_plan_refuses_a_key_while_another_is_added() {
        let scratch = Scratch::new();
        let plan = UsagePlan {
            logical_id: "Plan".to_owned(),
            throttle: Throttle { rate: 1, burst: 1 },
            routes: Default::default(),
        };
        let keys = PlanKeys::open(&scratch.file("keys"), &[plan]).unwrap();
        let mut ids = Vec::new();
        for _ in 0..2 {
            let new = NewKey { name: "key".to_owned(), value: None, enabled: true };
            let (_, Json(key)) = create(State(keys.clone()), Json(new)).await.unwrap();
            ids.push(key["id"].as_str().unwrap().to_owned());
        }
        let attach = |id: &str| {
            attach(State(keys.clone()), Segment("Plan".to_owned()), Json(NewPlanKey { key_id: id.to_owned() }))
        };
        let show = |id: &str| show(State(keys.clone()), Segment(("Plan".to_owned(), id.to_owned())));
        let (first, second) = tokio::join!(attach(&ids[0]), attach(&ids[1]));
        assert!(first.is_ok());
        assert!(matches!(second, Err(Fault::Conflict(why)) if why.contains("concurrent modification")));
        assert_eq!(show(&ids[0]).await.unwrap().0["id"], ids[0].as_str());
        assert!(matches!(show(&ids[1]).await, Err(Fault::NotFound(_))));
        assert!(attach(&ids[1]).await.is_ok());
        assert!(matches!(attach(&ids[1]).await, Err(Fault::Conflict(why)) if why.contains("already")));
    }
}
