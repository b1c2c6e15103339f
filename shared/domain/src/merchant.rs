//! Merchants and their settings: currencies, prices, settlement delay, shards.

mod shards;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::currency::Currency;
use crate::fee::{BASIS_POINTS_MAX, Pricing, Terms};
use crate::id::{MerchantId, SHARDS_MAX, hash, hex};
use crate::money::AMOUNT_MAX;
use crate::text::as_text;
use crate::time::Timestamp;

pub use shards::{RAISES_MAX, ShardCount, Shards};

/// The longest delay between a capture and its value date, in days.
pub const SETTLEMENT_DELAY_DAYS_MAX: u16 = 30;
/// The most characters of a merchant's reference or name.
pub const TEXT_LENGTH_MAX: usize = 200;

const SETTLEMENT_DELAY_DAYS_DEFAULT: u16 = 2;
const SHARDS_DEFAULT: u16 = 4;

/// The usage plan of a merchant, which limits its request rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Plan {
    /// The ordinary rate limit.
    Standard,
    /// The raised rate limit.
    High,
}

as_text!(Plan);

/// An operator's request for a new merchant.
#[derive(Debug, Clone)]
pub struct NewMerchant {
    /// The operator's own identifier. A repeated reference means the same merchant.
    pub reference: String,
    /// The display name.
    pub name: String,
    /// The usage plan.
    pub plan: Plan,
    /// The accepted currencies with their prices, at least one.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// Days from a capture to its value date. `None` means two.
    pub settlement_delay_days: Option<u16>,
    /// The number of shards. `None` means four.
    pub shards: Option<u16>,
}

/// An operator's change of a merchant. A field that is `None` stays unchanged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MerchantChange {
    /// The display name.
    pub name: Option<String>,
    /// The usage plan.
    pub plan: Option<Plan>,
    /// Currencies to add, or to give new prices. A currency can't be removed, because its balance may contain money.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// Days from a capture to its value date. It applies to future captures.
    pub settlement_delay_days: Option<u16>,
    /// The number of shards. It can only rise.
    pub shards: Option<u16>,
    /// Whether the merchant is suspended.
    pub suspended: Option<bool>,
}

/// Why the settings of a merchant are refused. The text of each is a sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerchantRefusal {
    /// A text is empty or too long.
    #[error("{0} must have 1 to {TEXT_LENGTH_MAX} characters.")]
    Text(&'static str),
    /// There is no currency, or a price is out of range.
    #[error(
        "There must be a currency, and each needs fee_basis_points from 0 to {BASIS_POINTS_MAX} and a fee_fixed from 0 to {AMOUNT_MAX}."
    )]
    Currencies,
    /// The currency was withdrawn.
    #[error("{0} is not a current payment currency of ISO 4217, so it can't be added to a merchant.")]
    CurrencyNotCurrent(Currency),
    /// The settlement delay is out of range.
    #[error("settlement_delay_days must be from 0 to {SETTLEMENT_DELAY_DAYS_MAX}.")]
    SettlementDelay,
    /// The number of shards is out of range.
    #[error("shards must be from 1 to {SHARDS_MAX}.")]
    Shards,
    /// The number of shards is below the present one. Data on the shards above it would no longer be found.
    #[error("shards can't be lowered: there are {largest} already.")]
    ShardsLowered {
        /// The largest number so far, whether in force already or not.
        largest: u16,
    },
    /// The shards were raised [`RAISES_MAX`] times already.
    #[error("shards were raised {RAISES_MAX} times already and can't be raised again.")]
    ShardsRaisedTooOften,
    /// The request contains no change.
    #[error("Give at least one of name, plan, currencies, settlement_delay_days, shards and suspended.")]
    NothingToChange,
}

/// A merchant as stored. Both modes share it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// Derived from the reference under which the operator created it.
    pub id: MerchantId,
    /// The operator's own identifier.
    pub reference: String,
    /// SHA-256 of the settings at creation. It recognizes a repeated request for creation, even after later changes.
    pub fingerprint: String,
    /// The display name.
    pub name: String,
    /// The usage plan.
    pub plan: Plan,
    /// The value of the plan key. It only counts requests and gives no access.
    pub plan_key: String,
    /// The value of the plan key in the other usage plan. `None` before the first change of the plan.
    pub other_plan_key: Option<String>,
    /// The accepted currencies, each with the price of a capture.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// Days from a capture to its value date.
    pub settlement_delay_days: u16,
    /// The number of shards for lists, journal, movements and events, with its history.
    pub shards: Shards,
    /// A suspended merchant can read, but not start anything.
    pub suspended: bool,
    /// 1 at creation. Each change adds 1.
    pub version: u64,
    /// Id of the invocation that created the merchant.
    pub request_id: String,
    /// Time of creation.
    pub created_at: Timestamp,
}

impl Merchant {
    /// A new merchant. `plan_key` is the value of its plan key. Errors if a setting is refused.
    pub fn create(
        new: NewMerchant, plan_key: String, request_id: &str, now: Timestamp,
    ) -> Result<Merchant, MerchantRefusal> {
        if new.currencies.is_empty() {
            return Err(MerchantRefusal::Currencies);
        }
        checked_text("reference", &new.reference)?;
        checked_text("name", &new.name)?;
        checked_prices(&new.currencies)?;
        checked_current(new.currencies.keys())?;
        let mut merchant = Merchant {
            id: MerchantId::derive(&["merchant", &new.reference]),
            reference: new.reference,
            fingerprint: String::new(),
            name: new.name,
            plan: new.plan,
            plan_key,
            other_plan_key: None,
            currencies: new.currencies,
            settlement_delay_days: checked_delay(new.settlement_delay_days.unwrap_or(SETTLEMENT_DELAY_DAYS_DEFAULT))?,
            shards: Shards::new(new.shards.unwrap_or(SHARDS_DEFAULT), now).ok_or(MerchantRefusal::Shards)?,
            suspended: false,
            version: 1,
            request_id: request_id.to_owned(),
            created_at: now,
        };
        merchant.fingerprint = merchant.settings_fingerprint();
        Ok(merchant)
    }

    /// This merchant after the change. `None` if the change has no effect. Errors if a setting is refused. A raised
    /// number of shards is in force from `shards_from`, which must be later than the expiry of every cached copy of the
    /// merchant.
    pub fn changed(
        &self, change: &MerchantChange, shards_from: Timestamp,
    ) -> Result<Option<Merchant>, MerchantRefusal> {
        if *change == MerchantChange::default() {
            return Err(MerchantRefusal::NothingToChange);
        }
        let MerchantChange { name, plan, currencies, settlement_delay_days, shards, suspended } = change;
        checked_prices(currencies)?;
        checked_current(currencies.keys().filter(|currency| !self.currencies.contains_key(currency)))?;
        let mut changed = self.on_plan(plan.unwrap_or(self.plan));
        changed.currencies.extend(currencies);
        if let Some(name) = name {
            checked_text("name", name)?;
            changed.name.clone_from(name);
        }
        if let Some(days) = settlement_delay_days {
            changed.settlement_delay_days = checked_delay(*days)?;
        }
        if let Some(count) = shards {
            changed.shards = self.shards.raised(*count, shards_from)?;
        }
        changed.suspended = suspended.unwrap_or(self.suspended);
        if changed == *self {
            return Ok(None);
        }
        changed.version += 1;
        Ok(Some(changed))
    }

    /// This merchant on the plan. A merchant has one plan key in each plan that it has been on. So a change of the plan
    /// removes no key that a cached answer of the authorizer names. The second key is derived from the first one, so that
    /// an interrupted change, sent again, finds it.
    pub fn on_plan(&self, plan: Plan) -> Merchant {
        let mut merchant = self.clone();
        if plan != self.plan {
            let derived = || hex(&hash(&["other plan key", &self.plan_key]));
            merchant.plan = plan;
            merchant.plan_key = self.other_plan_key.clone().unwrap_or_else(derived);
            merchant.other_plan_key = Some(self.plan_key.clone());
        }
        merchant
    }

    /// The terms of a capture in this currency. None if the merchant does not accept the currency.
    pub fn terms(&self, currency: Currency) -> Option<Terms> {
        let pricing = *self.currencies.get(&currency)?;
        Some(Terms { pricing, settlement_delay_days: self.settlement_delay_days })
    }

    fn settings_fingerprint(&self) -> String {
        let plan = match self.plan {
            Plan::Standard => "standard",
            Plan::High => "high",
        };
        let numbers = [self.settlement_delay_days, self.shards.largest()].map(|number| number.to_string());
        let prices = self.currencies.iter().flat_map(|(currency, pricing)| {
            [currency.to_string(), pricing.fee_basis_points.to_string(), pricing.fee_fixed.units().to_string()]
        });
        let prices: Vec<String> = prices.collect();
        let parts = [self.name.as_str(), plan].into_iter().chain(numbers.iter().chain(&prices).map(String::as_str));
        hex(&hash(&parts.collect::<Vec<&str>>()))
    }
}

fn checked_text(field: &'static str, text: &str) -> Result<(), MerchantRefusal> {
    let fits = (1..=TEXT_LENGTH_MAX).contains(&text.chars().count());
    if fits { Ok(()) } else { Err(MerchantRefusal::Text(field)) }
}

fn checked_prices(currencies: &BTreeMap<Currency, Pricing>) -> Result<(), MerchantRefusal> {
    let priced = |pricing: &Pricing| {
        pricing.fee_basis_points <= BASIS_POINTS_MAX && (0..=AMOUNT_MAX).contains(&pricing.fee_fixed.units())
    };
    if currencies.values().all(priced) { Ok(()) } else { Err(MerchantRefusal::Currencies) }
}

fn checked_current<'a>(mut added: impl Iterator<Item = &'a Currency>) -> Result<(), MerchantRefusal> {
    let not_current = added.find(|currency| !currency.is_current());
    not_current.map_or(Ok(()), |currency| Err(MerchantRefusal::CurrencyNotCurrent(*currency)))
}

fn checked_delay(days: u16) -> Result<u16, MerchantRefusal> {
    if days <= SETTLEMENT_DELAY_DAYS_MAX { Ok(days) } else { Err(MerchantRefusal::SettlementDelay) }
}
