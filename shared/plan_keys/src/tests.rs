//! Plan keys at a simulated API Gateway.

mod gateway;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use serde_json::{Value, json};
use spillway_domain::currency::Currency;
use spillway_domain::fee::Pricing;
use spillway_domain::merchant::NewMerchant;
use spillway_domain::time::Timestamp;

use super::*;
use aws_sdk_apigateway::config::{Credentials, Region, SharedCredentialsProvider};
use gateway::{Gateway, Kind, State};
use spillway_runtime::settings::Environment;
use spillway_runtime::{Effects, Parts, config_with};

const PLAN: &str = "plan-standard";
const OTHER_PLAN: &str = "plan-high";
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
async fn a_key_in_the_other_plan_is_an_error() {
    let (gateway, merchant) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    provide(&context, &merchant, deadline()).await.unwrap();
    gateway.change(|state| {
        state.plans.insert(PLAN.to_owned(), BTreeSet::new());
        state.plans.insert(OTHER_PLAN.to_owned(), BTreeSet::from([0]));
    });
    let error = provide(&context, &merchant, deadline()).await.unwrap_err();
    assert!(matches!(error, PlanKeyError::Moved), "{error}");
    assert_eq!(gateway.names_and_plan(), (vec![key_name(&merchant)], vec![]));
}

#[tokio::test]
async fn a_merchant_on_another_plan_gets_a_second_key() {
    let (gateway, standard) = (Gateway::of(Kind::Aws), merchant());
    let context = context(&gateway, PLAN);
    provide(&context, &standard, deadline()).await.unwrap();
    let high = standard.on_plan(Plan::High);
    assert_ne!(high.plan_key, standard.plan_key);
    let back = high.on_plan(Plan::Standard);
    for merchant in [&high, &high, &back, &back.on_plan(Plan::High)] {
        provide(&context, merchant, deadline()).await.unwrap();
        let names = vec![key_name(&standard), key_name(&standard)];
        assert_eq!(gateway.names_and_plan(), (names, vec![0]));
        gateway.change(|state| assert_eq!(state.plans[OTHER_PLAN], BTreeSet::from([1])));
    }
    assert_eq!((back.plan_key, back.other_plan_key), (standard.plan_key, Some(high.plan_key)));
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
