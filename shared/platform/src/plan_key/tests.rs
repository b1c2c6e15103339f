//! Against a gateway that keeps keys and plans as AWS documents it, or as an emulator does that refuses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
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
use crate::runtime::settings::Environment;
use crate::runtime::{Outside, Parts};

const PLAN: &str = "plan-standard";
/// Keys of a page, whatever is asked for, so that a few keys are several pages.
const PAGE: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Keys of one value are one key; a key is in one plan of a stage.
    Aws,
    /// Takes the same key, and the same key of a plan, again and again.
    Lenient,
}

/// What the gateway holds, and how it is to fail.
#[derive(Debug)]
struct State {
    kind: Kind,
    /// Names and values; a key's id is its place.
    keys: Vec<(String, String)>,
    plans: BTreeMap<String, BTreeSet<usize>>,
    room: usize,
    calls: usize,
    /// The call, from 1, after which the caller is gone: it was carried out, and its answer is an error.
    cut_off_at: usize,
}

#[derive(Debug, Clone)]
struct Gateway(Arc<Mutex<State>>);

impl Gateway {
    fn of(kind: Kind) -> Gateway {
        let plans = BTreeMap::from([(PLAN.to_owned(), BTreeSet::new())]);
        Gateway(Arc::new(Mutex::new(State { kind, keys: Vec::new(), plans, room: 100, calls: 0, cut_off_at: 0 })))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    /// The names of the keys, and the keys of the plan.
    fn holds(&self) -> (Vec<String>, Vec<usize>) {
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
            _ if state.calls == state.cut_off_at => (400, "UnauthorizedException", json!({"message": "cut off"})),
            Ok(body) => (201, "", body),
            Err((status, kind)) => (status, kind, json!({"message": "so it is"})),
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
        match (request.method(), path) {
            ("GET", "/apikeys") => Ok(self.list(query)),
            ("POST", "/apikeys") => self.create(&body),
            ("POST", path) => {
                let plan = path.strip_prefix("/usageplans/").and_then(|path| path.strip_suffix("/keys")).unwrap();
                self.join(plan, body["keyId"].as_str().unwrap().parse().unwrap())
            }
            other => panic!("{other:?}"),
        }
    }

    fn list(&self, query: &str) -> Value {
        let asked: BTreeMap<String, String> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        assert_eq!((asked["includeValues"].as_str(), asked["limit"].as_str()), ("true", "500"));
        let named = asked.get("name").map_or("", String::as_str);
        let found: Vec<Value> = self
            .keys
            .iter()
            .enumerate()
            .filter(|(_, (name, _))| name.starts_with(named))
            .map(|(id, (name, value))| json!({"id": id.to_string(), "name": name, "value": value}))
            .collect();
        let from = asked.get("position").map_or(0, |position| position.parse().unwrap());
        let page = &found[from..found.len().min(from + PAGE)];
        let position = (from + PAGE < found.len()).then(|| (from + PAGE).to_string());
        json!({"item": page, "position": position})
    }

    fn create(&mut self, asked: &Value) -> Result<Value, (u16, &'static str)> {
        let [name, value] = ["name", "value"].map(|field| asked[field].as_str().unwrap().to_owned());
        assert!((20..=128).contains(&value.len()) && value.chars().all(char::is_alphanumeric), "{value}");
        assert_eq!(asked["enabled"], true);
        if self.kind == Kind::Aws && self.keys.iter().any(|(_, known)| *known == value) {
            return Err((409, "ConflictException"));
        }
        if self.keys.len() >= self.room {
            return Err((429, "LimitExceededException"));
        }
        self.keys.push((name, value));
        Ok(json!({"id": (self.keys.len() - 1).to_string()}))
    }

    fn join(&mut self, plan: &str, key: usize) -> Result<Value, (u16, &'static str)> {
        let elsewhere = self.plans.values().any(|keys| keys.contains(&key));
        let plan = self.plans.get_mut(plan).ok_or((404, "NotFoundException"))?;
        if self.kind == Kind::Aws && elsewhere {
            return Err((409, "ConflictException"));
        }
        plan.insert(key);
        Ok(json!({"id": key.to_string()}))
    }
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
    let environment = |name: &str| {
        let value = match name {
            "AWS_ENDPOINT_URL_API_GATEWAY" => "https://gateway.test",
            "AWS_REGION" => "eu-central-1",
            "TABLE_NAME" => "acme-table",
            "STORE_DEADLINE_MS" => "3000",
            "STANDARD_PLAN_ID" => plan,
            "HIGH_PLAN_ID" => "plan-high",
            "STACK_NAME" => "acme",
            "LOG_LEVEL" => "info",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let outside = Outside {
        now: Arc::new(|| Timestamp::from_millis(0)),
        random: Arc::new(|bytes| bytes.fill(7)),
        sleep: SharedAsyncSleep::new(TokioSleep::new()),
        http_client: gateway.client(),
    };
    Context::new(Environment::new(&environment), outside).unwrap()
}

fn merchant() -> Merchant {
    let currencies =
        BTreeMap::from([(Currency::parse("USD").unwrap(), serde_json::from_value::<Pricing>(price()).unwrap())]);
    let asked = NewMerchant {
        reference: "acme".to_owned(),
        name: "Acme".to_owned(),
        plan: Plan::Standard,
        currencies,
        settlement_delay_days: None,
        shards: None,
    };
    Merchant::create(asked, new_value([1; 20]), "req-1", Timestamp::from_millis(0)).unwrap()
}

fn price() -> Value {
    json!({"fee_basis_points": 290, "fee_fixed": 30})
}

fn named(merchant: &Merchant) -> String {
    format!("acme-table {}", merchant.id)
}

#[tokio::test]
async fn wherever_it_was_cut_off_the_repetition_leaves_one_key_in_its_plan() {
    let merchant = merchant();
    for kind in [Kind::Aws, Kind::Lenient] {
        // Look, make, put into the plan.
        for cut_off_at in 1..=3 {
            let gateway = Gateway::of(kind);
            gateway.change(|state| state.cut_off_at = cut_off_at);
            let context = context(&gateway, PLAN);
            provide(&context, &merchant).await.unwrap_err();
            for _ in 0..2 {
                provide(&context, &merchant).await.unwrap();
                assert_eq!(gateway.holds(), (vec![named(&merchant)], vec![0]), "{kind:?}, cut off at {cut_off_at}");
            }
        }
    }
}

#[tokio::test]
async fn of_two_at_once_one_makes_the_key() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    // The other made it after this one had looked.
    let find_nothing = find(&context.gateway, Some(&named(&merchant)), &merchant.plan_key).await.unwrap();
    assert_eq!(find_nothing, None);
    provide(&context, &merchant).await.unwrap();
    assert_eq!(create(&context.gateway, &named(&merchant), &merchant.plan_key).await.unwrap(), "0");
    assert_eq!(gateway.holds(), (vec![named(&merchant)], vec![0]));
}

#[tokio::test]
async fn the_key_is_found_on_any_page_and_under_another_name() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    // Others' names begin alike, and theirs is another value.
    let others = |state: &mut State, name: &str| {
        let keys = (0..5).map(|number| (name.to_owned(), format!("{number:0>40}")));
        state.keys = keys.collect();
    };
    for (name, others_name) in [(named(&merchant), named(&merchant)), ("restored".to_owned(), "other".to_owned())] {
        gateway.change(|state| {
            others(state, &others_name);
            state.keys.push((name.clone(), merchant.plan_key.clone()));
            state.plans.insert(PLAN.to_owned(), BTreeSet::new());
        });
        provide(&context, &merchant).await.unwrap();
        let (names, in_plan) = gateway.holds();
        assert_eq!((names.len(), in_plan), (6, vec![5]), "{names:?}");
    }
}

#[tokio::test]
async fn an_account_without_room_is_told_with_what_to_do() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    gateway.change(|state| state.room = 0);
    let told = provide(&context, &merchant).await.unwrap_err();
    assert!(matches!(told, PlanKeyError::NoRoom), "{told}");
    gateway.change(|state| state.room = 1);
    provide(&context, &merchant).await.unwrap();
    // What has its key needs no room.
    provide(&context, &merchant).await.unwrap();
    assert_eq!(gateway.holds(), (vec![named(&merchant)], vec![0]));
}

#[tokio::test]
async fn a_plan_that_is_not_there_is_told() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let told = provide(&context(&gateway, "plan-gone"), &merchant).await.unwrap_err().to_string();
    assert!(told.contains("(NotFoundException: so it is)"), "{told}");
}
