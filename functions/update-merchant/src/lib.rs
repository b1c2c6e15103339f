//! Changes a merchant: its name, plan, prices, settlement delay, shards, or whether it is suspended. An operator invokes
//! this function directly; it has no route.

use std::collections::BTreeMap;
use std::sync::Arc;

use spillway_domain::currency::Currency;
use spillway_domain::fee::Pricing;
use spillway_domain::id::{MerchantId, SHARDS_MAX};
use spillway_domain::merchant::{MerchantChange, MerchantRefusal, Plan, SETTLEMENT_DELAY_DAYS_MAX, TEXT_LENGTH_MAX};
use spillway_domain::operator::OperatorAction;
use spillway_lambda::{Answered, Invocation};
use spillway_plan_keys::{PlanKeyError, PlanKeys};
use spillway_runtime::{SettingError, Start};
use spillway_store::{Propagation, ShardsAhead, Store, StoreError};
use spillway_wire::view::{self, ChangedView, MerchantView};
use spillway_wire::{Fields, FromOperator, OperatorRequest, prices};
use spillway_work::{Outcome, Subject};

/// Tries when concurrent updates of the merchant conflict.
const TRIES_MAX: u32 = 8;

/// The store, the plan keys, and the settings for the times from which changes and more shards are in force.
pub struct Parts {
    store: Store,
    plan_keys: PlanKeys,
    propagation: Propagation,
    shards_ahead: ShardsAhead,
}

impl spillway_runtime::Parts for Parts {
    fn new(start: &Start<'_>) -> Result<Parts, SettingError> {
        let store = Store::new(start)?;
        Ok(Parts {
            plan_keys: PlanKeys::new(start, &store)?,
            store,
            propagation: Propagation::read(&start.environment)?,
            shards_ahead: ShardsAhead::read(&start.environment)?,
        })
    }
}

impl AsRef<PlanKeys> for Parts {
    fn as_ref(&self) -> &PlanKeys {
        &self.plan_keys
    }
}

type Context = spillway_runtime::Context<Parts>;

/// The operator's request.
#[derive(Debug)]
pub struct UpdateMerchant {
    merchant: MerchantId,
    name: Option<String>,
    plan: Option<Plan>,
    currencies: BTreeMap<Currency, Pricing>,
    settlement_delay_days: Option<u16>,
    shards: Option<u16>,
    suspended: Option<bool>,
}

impl OperatorRequest for UpdateMerchant {
    fn read(fields: &mut Fields) -> Option<UpdateMerchant> {
        let merchant = fields.merchant("merchant");
        let name = fields.optional_text("name", TEXT_LENGTH_MAX);
        let plan = fields.optional_parsed("plan", "must be \"standard\" or \"high\"", Plan::parse);
        let currencies = fields.optional_objects("currencies", prices);
        let settlement_delay_days = fields.optional_integer("settlement_delay_days", 0..=SETTLEMENT_DELAY_DAYS_MAX);
        let shards = fields.optional_integer("shards", 1..=SHARDS_MAX);
        let suspended = fields.optional_bool("suspended");
        let currencies = currencies.unwrap_or_default().into_iter().collect();
        Some(UpdateMerchant { merchant: merchant?, name, plan, currencies, settlement_delay_days, shards, suspended })
    }
}

/// Why the merchant can't be changed. Each text is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum UpdateMerchantError {
    /// A rule refuses the change.
    #[error(transparent)]
    Refused(#[from] MerchantRefusal),
    /// The merchant does not exist.
    #[error("There is no merchant {0}.")]
    NoMerchant(MerchantId),
    /// Another request changed the merchant during each try.
    #[error(
        "The merchant {0} was changed by other requests during each of {TRIES_MAX} tries; send the same request again."
    )]
    Overtaken(MerchantId),
    /// The plan has no key of the merchant.
    #[error("Nothing was changed: {0}")]
    PlanKey(#[from] PlanKeyError),
    /// The table failed.
    #[error("The merchant can't be stored: {0}.")]
    Store(#[from] StoreError),
}

/// Stores the change, on condition that the merchant has not changed since it was read. Otherwise it reads and decides
/// again. A new plan first gets a key of the merchant, so that a merchant is never in no plan. Repeating the same request
/// is harmless and changes nothing. From `effective_at` of the answer on, every
/// request at the gateway sees the change. More shards are in force later, from the time that the merchant shows.
pub async fn handle(
    context: Arc<Context>, invocation: Invocation, asked: FromOperator<UpdateMerchant>,
) -> Result<Answered<ChangedView<MerchantView>>, UpdateMerchantError> {
    let UpdateMerchant { merchant: id, name, plan, currencies, settlement_delay_days, shards, suspended } =
        asked.request;
    let change = MerchantChange { name, plan, currencies, settlement_delay_days, shards, suspended };
    let about = |outcome| Subject::new(&id).of(&id).outcome(Outcome::new(outcome));
    for _ in 0..TRIES_MAX {
        let read = context.store.merchant(&id).await?;
        let merchant = read.ok_or_else(|| UpdateMerchantError::NoMerchant(id.clone()))?;
        if let Some(plan) = plan {
            merchant.changed(&change, context.now())?;
            spillway_plan_keys::provide(&context, &merchant.on_plan(plan), invocation.deadline).await?;
        }
        let now = context.now();
        let effective_at = context.propagation.effective_at(now);
        let changed = merchant.changed(&change, context.shards_ahead.shards_from(now))?;
        // Before a movement can be in a new currency or on a new shard.
        context.store.create_balances(changed.as_ref().unwrap_or(&merchant)).await?;
        let Some(changed) = changed else {
            let about = about(outcome("unchanged", &change));
            return Ok(Answered::new(view::changed(view::merchant(merchant), effective_at), about));
        };
        let action = OperatorAction {
            merchant: id.clone(),
            subject: id.clone().into(),
            operator: asked.operator.clone(),
            outcome: outcome("changed", &change),
            request_id: invocation.request_id.clone(),
            created_at: now,
        };
        if context.store.change_merchant(&merchant, &changed, &action).await? {
            let about = about(action.outcome);
            return Ok(Answered::new(view::changed(view::merchant(changed), effective_at), about));
        }
    }
    Err(UpdateMerchantError::Overtaken(id))
}

/// The outcome for the log, with the requested changes. The name itself is left out, because it may be a person's name.
fn outcome(what: &str, change: &MerchantChange) -> String {
    let MerchantChange { name, plan, currencies, settlement_delay_days, shards, suspended } = change;
    let parts = [
        name.as_ref().map(|_| "name".to_owned()),
        plan.map(|plan| format!("{} plan", plan.as_str())),
        settlement_delay_days.map(|days| format!("settlement_delay_days {days}")),
        shards.map(|shards| format!("shards {shards}")),
        suspended.map(|suspended| format!("suspended {suspended}")),
    ];
    let prices = currencies.iter().map(|(currency, pricing)| format!("{currency} {pricing}"));
    let parts: Vec<String> = parts.into_iter().flatten().chain(prices).collect();
    format!("{what}: {}", parts.join(", "))
}
