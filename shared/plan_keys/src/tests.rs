//! Tests against a simulated API Gateway, which treats keys and plans as AWS documents it, or refuses nothing, like an
//! emulator.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use spillway_domain::currency::Currency;
use spillway_domain::fee::Pricing;
use spillway_domain::merchant::NewMerchant;
use spillway_domain::time::Timestamp;

use super::*;
use aws_sdk_apigateway::config::{Credentials, Region, SharedCredentialsProvider};
use spillway_runtime::settings::Environment;
use spillway_runtime::{Effects, Parts, config_with};

const PLAN: &str = "plan-standard";
const OTHER_PLAN: &str = "plan-high";
/// Keys of a page, whatever limit the request has, so that a few keys take several pages.
const PAGE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Refuses a second key with the same value, and a key in a second plan.
    Aws,
    /// Accepts the same key, and the same key in a plan, any number of times.
    Lenient,
}

/// The state of the gateway, and the failures that it simulates.
#[derive(Debug)]
struct State {
    kind: Kind,
    /// Names and values of the keys. The id of a key is its index.
    keys: Vec<(String, String)>,
    plans: BTreeMap<String, BTreeSet<usize>>,
    keys_max: usize,
    /// The number of changes that are still refused as conflicts, by path.
    busy: BTreeMap<&'static str, usize>,
    /// The error code with which changes of plans are throttled. None if they are not.
    throttled_by: Option<&'static str>,
    calls: usize,
    /// The number of the call, from 1, that is done but answered with an error, as if the caller was interrupted.
    interrupted_at: usize,
}

#[derive(Debug, Clone)]
struct Gateway(Arc<Mutex<State>>);

impl Gateway {
    fn of(kind: Kind) -> Gateway {
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

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// The names of all keys, and the ids of the keys in the plan.
    fn names_and_plan(&self) -> (Vec<String>, Vec<usize>) {
        let state = self.0.lock().unwrap();
        (state.keys.iter().map(|(name, _)| name.clone()).collect(), state.plans[PLAN].iter().copied().collect())
    }

    fn client(&self) -> SharedHttpClient {
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

/// A clock that moves by the time that is slept. Sleeps of 8 s and more never end: they are the SDK's timeouts.
#[derive(Debug, Clone, Default)]
struct Time(Arc<AtomicI64>);

impl Time {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

impl AsyncSleep for Time {
    fn sleep(&self, duration: Duration) -> Sleep {
        let (time, ms) = (self.clone(), i64::try_from(duration.as_millis()).unwrap());
        Sleep::new(async move {
            if ms >= 8_000 {
                std::future::pending::<()>().await;
            }
            time.0.fetch_add(ms, Ordering::Relaxed);
        })
    }
}

/// The time at which Lambda ends the invocation. It begins at 0.
fn deadline() -> Timestamp {
    Timestamp::from_millis(50_000)
}

impl AsRef<PlanKeys> for PlanKeys {
    fn as_ref(&self) -> &PlanKeys {
        self
    }
}

impl Parts for PlanKeys {
    fn new(start: &Start<'_>) -> Result<PlanKeys, SettingError> {
        PlanKeys::new(start, &Store::new(start)?)
    }
}

fn context(gateway: &Gateway, plan: &str) -> Context<PlanKeys> {
    context_at(gateway, plan, Time::default())
}

fn context_at(gateway: &Gateway, plan: &str, time: Time) -> Context<PlanKeys> {
    let environment = |name: &str| {
        let value = match name {
            "AWS_ENDPOINT_URL_API_GATEWAY" => "https://gateway.test",
            "TABLE_NAME" => "acme-table",
            "STORE_DEADLINE_MS" => "3000",
            "STANDARD_PLAN_ID" => plan,
            "HIGH_PLAN_ID" => OTHER_PLAN,
            "STACK_NAME" => "acme",
            "LOG_LEVEL" => "info",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let effects = Effects {
        sleep: SharedAsyncSleep::new(time.clone()),
        now: Arc::new(move || time.now()),
        random: Arc::new(|bytes| bytes.fill(7)),
        http_client: gateway.client(),
    };
    let credentials = SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "tests"));
    let aws = config_with(Some(Region::from_static("eu-central-1")), credentials, &effects);
    Context::new(Environment::new(&environment), effects, &aws).unwrap()
}

fn merchant() -> Merchant {
    let currencies =
        BTreeMap::from([(Currency::parse("USD").unwrap(), serde_json::from_value::<Pricing>(price()).unwrap())]);
    let new = NewMerchant {
        reference: "acme".to_owned(),
        name: "Acme".to_owned(),
        plan: Plan::Standard,
        currencies,
        settlement_delay_days: None,
        shards: None,
    };
    Merchant::create(new, new_value([1; 20]), "req-1", Timestamp::from_millis(0)).unwrap()
}

fn price() -> Value {
    json!({"fee_basis_points": 290, "fee_fixed": 30})
}

fn key_name(merchant: &Merchant) -> String {
    format!("acme-table {}", merchant.id)
}

#[tokio::test]
async fn a_repetition_after_an_interruption_leaves_one_key() {
    let merchant = merchant();
    for kind in [Kind::Aws, Kind::Lenient] {
        // Find the key, create it, add it to the plan.
        for interrupted_at in 1..=3 {
            let gateway = Gateway::of(kind);
            gateway.change(|state| state.interrupted_at = interrupted_at);
            let context = context(&gateway, PLAN);
            provide(&context, &merchant, deadline()).await.unwrap_err();
            for _ in 0..2 {
                provide(&context, &merchant, deadline()).await.unwrap();
                assert_eq!(
                    gateway.names_and_plan(),
                    (vec![key_name(&merchant)], vec![0]),
                    "{kind:?}, {interrupted_at}"
                );
            }
        }
    }
}

#[tokio::test]
async fn concurrent_calls_create_one_key() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    // This call finds no key, then the other call creates it.
    let found = find(&context.gateway, Some(&key_name(&merchant)), &merchant.plan_key).await.unwrap();
    assert_eq!(found, None);
    provide(&context, &merchant, deadline()).await.unwrap();
    let again = create(&context.gateway, &key_name(&merchant), &merchant.plan_key).await;
    assert!(matches!(again, Err(PlanKeyError::Busy)), "{again:?}");
    assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![0]));
}

#[tokio::test]
async fn a_busy_gateway_is_called_until_the_key_is_in_its_plan() {
    let merchant = merchant();
    // Other changes conflict with creating the key, with adding it to the plan, or with both.
    for busy in
        [[("apikeys", 1), ("usageplans", 0)], [("apikeys", 0), ("usageplans", 5)], [("apikeys", 3), ("usageplans", 4)]]
    {
        let gateway = Gateway::of(Kind::Aws);
        gateway.change(|state| state.busy = busy.into());
        provide(&context(&gateway, PLAN), &merchant, deadline()).await.unwrap();
        assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![0]), "{busy:?}");
    }
}

#[tokio::test]
async fn a_gateway_busy_until_the_deadline_is_an_error() {
    let (gateway, merchant, time) = (Gateway::of(Kind::Aws), merchant(), Time::default());
    let context = context_at(&gateway, PLAN, time.clone());
    gateway.change(|state| state.busy = [("usageplans", usize::MAX)].into());
    let error = provide(&context, &merchant, deadline()).await.unwrap_err();
    assert!(
        matches!(error, PlanKeyError::Busy) && error.to_string().ends_with("send the same request again."),
        "{error}"
    );
    // It tried until less than a wait of at most 4 s and a last try of 5 s remained.
    assert!((41_000..=45_000).contains(&time.now().since(Timestamp::from_millis(0))), "{:?}", time.now());
    assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![]));
    gateway.change(|state| state.busy = BTreeMap::new());
    provide(&context, &merchant, time.now().plus_seconds(50)).await.unwrap();
    assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![0]));
}

#[tokio::test]
async fn a_key_that_an_operator_moved_stays_in_its_plan() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    provide(&context, &merchant, deadline()).await.unwrap();
    gateway.change(|state| {
        state.plans.insert(PLAN.to_owned(), BTreeSet::new());
        state.plans.insert(OTHER_PLAN.to_owned(), BTreeSet::from([0]));
    });
    provide(&context, &merchant, deadline()).await.unwrap();
    assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![]));
}

#[tokio::test]
async fn a_throttled_gateway_is_busy_not_full() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    for code in ["TooManyRequestsException", "LimitExceededException"] {
        gateway.change(|state| state.throttled_by = Some(code));
        let error = provide(&context(&gateway, PLAN), &merchant, deadline()).await.unwrap_err();
        assert!(matches!(error, PlanKeyError::Busy), "{code}: {error}");
    }
}

#[tokio::test]
async fn the_key_is_found_on_any_page_and_by_any_name() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    // Other keys have the same name and other values.
    let others = |state: &mut State, name: &str| {
        let keys = (0..5).map(|number| (name.to_owned(), format!("{number:0>40}")));
        state.keys = keys.collect();
    };
    for (name, others_name) in [(key_name(&merchant), key_name(&merchant)), ("restored".to_owned(), "other".to_owned())]
    {
        gateway.change(|state| {
            others(state, &others_name);
            state.keys.push((name.clone(), merchant.plan_key.clone()));
            state.plans.insert(PLAN.to_owned(), BTreeSet::new());
        });
        provide(&context, &merchant, deadline()).await.unwrap();
        let (names, in_plan) = gateway.names_and_plan();
        assert_eq!((names.len(), in_plan), (6, vec![5]), "{names:?}");
    }
}

#[tokio::test]
async fn a_full_account_has_an_error_of_its_own() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    gateway.change(|state| state.keys_max = 0);
    let error = provide(&context, &merchant, deadline()).await.unwrap_err();
    assert!(matches!(error, PlanKeyError::NoRoom), "{error}");
    gateway.change(|state| state.keys_max = 1);
    provide(&context, &merchant, deadline()).await.unwrap();
    // A merchant that has its key needs no room.
    provide(&context, &merchant, deadline()).await.unwrap();
    assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![0]));
}

#[tokio::test]
async fn a_missing_plan_is_named_in_the_error() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, "plan-gone");
    let error = provide(&context, &merchant, deadline()).await.unwrap_err().to_string();
    assert!(error.contains("(NotFoundException: simulated)"), "{error}");
}
