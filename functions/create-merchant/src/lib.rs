//! Creates a merchant, and its key in the gateway's usage plan. Invoked directly by an operator; it has no route.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use spillway_domain::currency::Currency;
use spillway_domain::fee::{BASIS_POINTS_MAX, Pricing};
use spillway_domain::id::{MerchantId, SHARDS_MAX};
use spillway_domain::merchant::{Merchant, Plan, SETTLEMENT_DELAY_DAYS_MAX, Shards};
use spillway_domain::money::AMOUNT_MAX;
use spillway_domain::time::Timestamp;
use spillway_platform::api::view::{self, MerchantView};
use spillway_platform::plan_key::{self, PlanKeyError};
use spillway_platform::runtime::{Context, Invocation};
use spillway_platform::store::{Created, StoreError};

const TEXT_LENGTH_MAX: usize = 200;
const SHARDS_DEFAULT: u16 = 4;
const SETTLEMENT_DELAY_DAYS_DEFAULT: u16 = 2;

/// What an operator asks for.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateMerchant {
    reference: String,
    name: String,
    plan: Plan,
    currencies: BTreeMap<Currency, Pricing>,
    settlement_delay_days: Option<u16>,
    shards: Option<u16>,
}

/// Why there is no such merchant. Each is one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub enum CreateMerchantError {
    /// A text is empty or too long.
    #[error("{0} must have 1 to {TEXT_LENGTH_MAX} characters.")]
    Text(&'static str),
    /// None, or a price that is none.
    #[error(
        "There must be a currency, and each needs fee_basis_points from 0 to {BASIS_POINTS_MAX} and a fee_fixed from 0 to {AMOUNT_MAX}."
    )]
    Currencies,
    /// Out of range.
    #[error("settlement_delay_days must be from 0 to {SETTLEMENT_DELAY_DAYS_MAX}.")]
    SettlementDelay,
    /// Out of range.
    #[error("shards must be from 1 to {SHARDS_MAX}.")]
    Shards,
    /// The reference names a merchant that was created otherwise.
    #[error("The reference {0} names a merchant with other settings already.")]
    ReferenceTaken(String),
    /// The table failed.
    #[error("The merchant can't be stored: {0}.")]
    Store(#[from] StoreError),
    /// The gateway failed.
    #[error(transparent)]
    PlanKey(#[from] PlanKeyError),
}

/// Stores the merchant, then makes its plan key. Repeating the same request is harmless, and completes what an earlier
/// one left half done.
pub async fn handle(
    context: Arc<Context>, invocation: Invocation, asked: CreateMerchant,
) -> Result<MerchantView, CreateMerchantError> {
    let merchant = decide(asked, &invocation.request_id, context.now(), context.random())?;
    let merchant = match context.store.create_merchant(&merchant).await? {
        Created::New => merchant,
        Created::Existing(first) if same_settings(&first, &merchant) => first,
        Created::Existing(first) => return Err(CreateMerchantError::ReferenceTaken(first.reference)),
    };
    plan_key::provide(&context, &merchant).await?;
    Ok(view::merchant(merchant))
}

fn decide(
    asked: CreateMerchant, request_id: &str, now: Timestamp, random: [u8; 20],
) -> Result<Merchant, CreateMerchantError> {
    for (name, text) in [("reference", &asked.reference), ("name", &asked.name)] {
        if text.is_empty() || text.chars().count() > TEXT_LENGTH_MAX {
            return Err(CreateMerchantError::Text(name));
        }
    }
    let prices = 0..=AMOUNT_MAX;
    let priced =
        |pricing: &Pricing| pricing.fee_basis_points <= BASIS_POINTS_MAX && prices.contains(&pricing.fee_fixed.units());
    if asked.currencies.is_empty() || !asked.currencies.values().all(priced) {
        return Err(CreateMerchantError::Currencies);
    }
    let settlement_delay_days = asked.settlement_delay_days.unwrap_or(SETTLEMENT_DELAY_DAYS_DEFAULT);
    if settlement_delay_days > SETTLEMENT_DELAY_DAYS_MAX {
        return Err(CreateMerchantError::SettlementDelay);
    }
    let shards = Shards::new(asked.shards.unwrap_or(SHARDS_DEFAULT), now).ok_or(CreateMerchantError::Shards)?;
    Ok(Merchant {
        id: MerchantId::derive(&["merchant", &asked.reference]),
        reference: asked.reference,
        name: asked.name,
        plan: asked.plan,
        plan_key: plan_key::new_value(random),
        currencies: asked.currencies,
        settlement_delay_days,
        shards,
        suspended: false,
        request_id: request_id.to_owned(),
        created_at: now,
    })
}

/// Whether both came from the same request.
fn same_settings(first: &Merchant, again: &Merchant) -> bool {
    let settings = |merchant: &Merchant| {
        (
            merchant.name.clone(),
            merchant.plan,
            merchant.currencies.clone(),
            merchant.settlement_delay_days,
            merchant.shards.largest(),
        )
    };
    settings(first) == settings(again)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(change: &str) -> Result<Merchant, String> {
        let mut asked = serde_json::json!({"reference": "acme", "name": "Acme", "plan": "high",
            "currencies": {"USD": {"fee_basis_points": 290, "fee_fixed": 30}}});
        let change: serde_json::Value = serde_json::from_str(change).unwrap();
        for (key, value) in change.as_object().unwrap() {
            asked[key] = value.clone();
        }
        let asked = serde_json::from_value(asked).map_err(|error| error.to_string())?;
        decide(asked, "r", Timestamp::from_millis(0), [0; 20]).map_err(|error| error.to_string())
    }

    #[test]
    fn the_same_reference_is_the_same_merchant() {
        let (first, again) = (decided("{}").unwrap(), decided("{}").unwrap());
        assert!(first.id == again.id && same_settings(&first, &again));
        assert!(!same_settings(&first, &decided(r#"{"plan":"standard"}"#).unwrap()));
    }

    #[test]
    fn settings_out_of_range_are_refused() {
        for wrong in [
            r#"{"reference":""}"#,
            r#"{"currencies":{}}"#,
            r#"{"currencies":{"USD":{"fee_basis_points":10001,"fee_fixed":0}}}"#,
            r#"{"currencies":{"USD":{"fee_basis_points":0,"fee_fixed":-1}}}"#,
            r#"{"currencies":{"XYZ":{"fee_basis_points":0,"fee_fixed":0}}}"#,
            r#"{"settlement_delay_days":31}"#,
            r#"{"shards":0}"#,
            r#"{"typo":1}"#,
        ] {
            assert!(decided(wrong).is_err(), "{wrong}");
        }
    }
}
