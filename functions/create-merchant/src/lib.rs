//! Creates a merchant and its plan key. An operator invokes this function directly; it has no route.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_domain::currency::Currency;
use spillway_domain::fee::Pricing;
use spillway_domain::id::SHARDS_MAX;
use spillway_domain::merchant::{
    Merchant, MerchantRefusal, NewMerchant, Plan, SETTLEMENT_DELAY_DAYS_MAX, TEXT_LENGTH_MAX,
};
use spillway_domain::operator::OperatorAction;
use spillway_lambda::{Answered, Invocation};
use spillway_plan_keys::{PlanKeyError, PlanKeys};
use spillway_runtime::{SettingError, Start};
use spillway_store::{Created, Store, StoreError};
use spillway_wire::view::{self, MerchantView};
use spillway_wire::{Fields, FromOperator, OperatorRequest, prices};
use spillway_work::{Outcome, Subject};

/// The store and the plan keys.
pub struct Parts {
    store: Store,
    plan_keys: PlanKeys,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::new(start)?;
        Ok(Parts { plan_keys: PlanKeys::new(start, &store)?, store })
    }
}

impl AsRef<PlanKeys> for Parts {
    fn as_ref(&self) -> &PlanKeys {
        &self.plan_keys
    }
}

type Context = spillway_runtime::Context<Parts>;

/// The operator's request.
#[derive(Debug, Clone)]
pub struct CreateMerchant {
    reference: String,
    name: String,
    plan: Plan,
    currencies: BTreeMap<Currency, Pricing>,
    settlement_delay_days: Option<u16>,
    shards: Option<u16>,
}

impl OperatorRequest for CreateMerchant {
    fn read(fields: &mut Fields) -> Option<CreateMerchant> {
        let reference = fields.text("reference", TEXT_LENGTH_MAX);
        let name = fields.text("name", TEXT_LENGTH_MAX);
        let plan = fields.parsed("plan", "must be \"standard\" or \"high\"", Plan::parse);
        let currencies = match fields.objects("currencies", prices) {
            Some(prices) if prices.is_empty() => fields.fault("currencies", "must have at least one currency"),
            prices => prices,
        };
        let settlement_delay_days = fields.optional_integer("settlement_delay_days", 0..=SETTLEMENT_DELAY_DAYS_MAX);
        let shards = fields.optional_integer("shards", 1..=SHARDS_MAX);
        Some(CreateMerchant {
            reference: reference?,
            name: name?,
            plan: plan?,
            currencies: currencies?.into_iter().collect(),
            settlement_delay_days,
            shards,
        })
    }
}

/// Why the merchant can't be created. Each text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CreateMerchantError {
    /// A rule refuses the merchant's settings.
    #[error(transparent)]
    Refused(#[from] MerchantRefusal),
    /// The reference names a merchant that was created with other settings.
    #[error("The reference names a merchant that was created with other settings.")]
    ReferenceTaken,
    /// The table failed.
    #[error("The merchant can't be stored: {0}.")]
    Store(#[from] StoreError),
    /// The merchant is stored, but its plan key is missing.
    #[error("The merchant is stored but can't call the API yet: {0}")]
    PlanKey(#[from] PlanKeyError),
}

/// Stores the merchant, then creates its balances and its plan key. Repeating the same request is harmless, and completes an interrupted
/// one. Returns the merchant as it is now, which may have changed since its creation.
pub async fn handle(
    context: Arc<Context>, invocation: Invocation, asked: FromOperator<CreateMerchant>,
) -> Result<Answered<MerchantView>, CreateMerchantError> {
    let plan_key = spillway_plan_keys::new_value(context.random());
    let merchant = Merchant::create(asked.request.into(), plan_key, &invocation.request_id, context.now())?;
    let action = OperatorAction {
        merchant: merchant.id.clone(),
        subject: merchant.id.clone().into(),
        operator: asked.operator,
        outcome: outcome("created", &merchant),
        request_id: invocation.request_id,
        created_at: merchant.created_at,
    };
    let (merchant, outcome) = match context.store.create_merchant(&merchant, &action).await? {
        Created::New => (merchant, action.outcome),
        Created::Existing(first) if first.fingerprint == merchant.fingerprint => {
            let outcome = outcome("created before", &first);
            (first, outcome)
        }
        Created::Existing(_) => return Err(CreateMerchantError::ReferenceTaken),
    };
    // Without a plan key the merchant's requests are refused, so no movement can come before the balances.
    context.store.create_balances(&merchant).await?;
    spillway_plan_keys::provide(&context, &merchant, invocation.deadline).await?;
    let about = Subject::new(&merchant.id).of(&merchant.id).outcome(Outcome::new(outcome));
    Ok(Answered::new(view::merchant(merchant), about))
}

/// The outcome for the log, with plan and prices. Name and reference are left out, because they may be a person's name.
fn outcome(what: &str, merchant: &Merchant) -> String {
    let plan = match merchant.plan {
        Plan::Standard => "standard plan",
        Plan::High => "high plan",
    };
    let prices: Vec<String> =
        merchant.currencies.iter().map(|(currency, pricing)| format!("{currency} {pricing}")).collect();
    format!("{what}: {plan}, {}", prices.join(", "))
}

impl From<CreateMerchant> for NewMerchant {
    fn from(request: CreateMerchant) -> NewMerchant {
        let CreateMerchant { reference, name, plan, currencies, settlement_delay_days, shards } = request;
        NewMerchant { reference, name, plan, currencies, settlement_delay_days, shards }
    }
}
