//! A simulated API Gateway. It treats keys and plans as AWS documents it, or refuses nothing, like an emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

use super::{OTHER_PLAN, PLAN};

/// Keys of a page, whatever limit the request has, so that a few keys take several pages.
const PAGE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Refuses a second key with the same value, and a key in a second plan.
    Aws,
    /// Accepts the same key, and the same key in a plan, any number of times.
    Lenient,
}

/// The state of the gateway, and the failures that it simulates.
#[derive(Debug)]
pub(super) struct State {
    pub(super) kind: Kind,
    /// Names and values of the keys. The id of a key is its index.
    pub(super) keys: Vec<(String, String)>,
    pub(super) plans: BTreeMap<String, BTreeSet<usize>>,
    pub(super) keys_max: usize,
    /// The number of changes that are still refused as conflicts, by path.
    pub(super) busy: BTreeMap<&'static str, usize>,
    /// The error code with which changes of plans are throttled. None if they are not.
    pub(super) throttled_by: Option<&'static str>,
    pub(super) calls: usize,
    /// The number of the call, from 1, that is done but answered with an error, as if the caller was interrupted.
    pub(super) interrupted_at: usize,
}

/// The simulated API Gateway. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Gateway(Arc<Mutex<State>>);

impl Gateway {
    pub(super) fn of(kind: Kind) -> Gateway {
        let plans = [PLAN, OTHER_PLAN].map(|plan| (plan.to_owned(), BTreeSet::new())).into();
        let (keys, busy) = (Vec::new(), BTreeMap::new());
        Gateway(Arc::new(Mutex::new(State {
            kind,
            keys,
            plans,
            keys_max: 100,
            busy,
            throttled_by: None,
            calls: 0,
            interrupted_at: 0,
        })))
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// The names of all keys, and the ids of the keys in the plan.
    pub(super) fn names_and_plan(&self) -> (Vec<String>, Vec<usize>) {
        let state = self.0.lock().unwrap();
        (state.keys.iter().map(|(name, _)| name.clone()).collect(), state.plans[PLAN].iter().copied().collect())
    }

    pub(super) fn client(&self) -> SharedHttpClient {
        let connector = SharedHttpConnector::new(self.clone());
        http_client_fn(move |_, _| connector.clone())
    }
}

impl HttpConnector for Gateway {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut state = self.0.lock().unwrap();
        state.calls += 1;
        let answer = state.answer(&request);
        let (status, kind, body) = match answer {
            _ if state.calls == state.interrupted_at => {
                (400, "UnauthorizedException", json!({"message": "interrupted"}))
            }
            Ok(body) => (201, "", body),
            Err((status, kind)) => (status, kind, json!({"message": "simulated"})),
        };
        let body = SdkBody::from(body.to_string());
        let mut response = HttpResponse::new(StatusCode::try_from(status).unwrap(), body);
        response.headers_mut().insert("x-amzn-errortype", kind);
        HttpConnectorFuture::ready(Ok(response))
    }
}

impl State {
    fn answer(&mut self, request: &HttpRequest) -> Result<Value, (u16, &'static str)> {
        let (path, query) = request.uri().split_once('?').unwrap_or((request.uri(), ""));
        let path = path.trim_start_matches("https://gateway.test");
        let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        if request.method() == "POST"
            && let Some(left) = self.busy.get_mut(parts[0])
            && *left > 0
        {
            *left -= 1;
            return Err((409, "ConflictException"));
        }
        match (request.method(), parts.as_slice()) {
            ("GET", ["apikeys"]) => Ok(self.list(query)),
            ("POST", ["apikeys"]) => self.create(&body),
            ("POST", ["usageplans", ..]) if let Some(code) = self.throttled_by => Err((429, code)),
            ("POST", ["usageplans", plan, "keys"]) => self.join(plan, body["keyId"].as_str().unwrap()),
            ("GET", ["usageplans", plan, "keys", key]) => self.show(plan, key),
            other => panic!("{other:?}"),
        }
    }

    fn list(&self, query: &str) -> Value {
        let parameters: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!((parameters["includeValues"].as_str(), parameters["limit"].as_str()), ("true", "500"));
        let prefix = parameters.get("name").map_or("", String::as_str);
        let found: Vec<Value> = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| name.starts_with(prefix))
            .map(|(id, (name, value))| json!({"id": id.to_string(), "name": name, "value": value}))
            .collect();
        let from = parameters.get("position").map_or(0, |position| position.parse().unwrap());
        let page = &found[from..found.len().min(from + PAGE)];
        let position = (from + PAGE < found.len()).then(|| (from + PAGE).to_string());
        json!({"item": page, "position": position})
    }

    fn create(&mut self, body: &Value) -> Result<Value, (u16, &'static str)> {
        let [name, value] = ["name", "value"].map(|field| body[field].as_str().unwrap().to_owned());
        assert!((20..=128).contains(&value.len()) && value.chars().all(char::is_alphanumeric), "{value}");
        assert_eq!(body["enabled"], true);
        if self.kind == Kind::Aws && self.keys.iter().any(|(_, known)| *known == value) {
            return Err((409, "ConflictException"));
        }
        if self.keys.len() >= self.keys_max {
            return Err((429, "LimitExceededException"));
        }
        self.keys.push((name, value));
        Ok(json!({"id": (self.keys.len() - 1).to_string()}))
    }

    fn join(&mut self, plan: &str, key: &str) -> Result<Value, (u16, &'static str)> {
        let key: usize = key.parse().unwrap();
        let elsewhere = self.plans.values().any(|keys| keys.contains(&key));
        let plan = self.plans.get_mut(plan).ok_or((404, "NotFoundException"))?;
        if self.kind == Kind::Aws && elsewhere {
            return Err((409, "ConflictException"));
        }
        plan.insert(key);
        Ok(json!({"id": key.to_string()}))
    }

    fn show(&self, plan: &str, key: &str) -> Result<Value, (u16, &'static str)> {
        let keys = self.plans.get(plan).ok_or((404, "NotFoundException"))?;
        if keys.contains(&key.parse().unwrap()) { Ok(json!({"id": key})) } else { Err((404, "NotFoundException")) }
    }
}
