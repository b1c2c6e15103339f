//! Merchants: what they may do and on which terms.

mod shards;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::fee::{BASIS_POINTS_MAX, Pricing, Terms};
use crate::id::{MerchantId, SHARDS_MAX, hash, hex};
use crate::money::AMOUNT_MAX;
use crate::text::as_text;
use crate::time::Timestamp;

pub use shards::{RAISES_MAX, ShardCount, Shards};

/// The longest delay between a capture and its value date, in days.
pub const SETTLEMENT_DELAY_DAYS_MAX: u16 = 30;
/// The most characters of a reference or a name.
pub const TEXT_LENGTH_MAX: usize = 200;

const SETTLEMENT_DELAY_DAYS_DEFAULT: u16 = 2;
const SHARDS_DEFAULT: u16 = 4;

/// Which usage plan of the API a merchant has.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, strum::EnumMessage, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Plan {
    /// The ordinary rate limit.
    Standard,
    /// The raised one.
    High,
}

as_text!(Plan);

/// What an operator asks of a new merchant.
#[derive(Debug, Clone)]
pub struct NewMerchant {
    /// The operator's own name of it: the same reference is the same merchant.
    pub reference: String,
    /// For people.
    pub name: String,
    /// Its rate limit.
    pub plan: Plan,
    /// The currencies it takes, at least one.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// None: two days.
    pub settlement_delay_days: Option<u16>,
    /// None: four.
    pub shards: Option<u16>,
}

/// What is to be changed of a merchant. What is none stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MerchantChange {
    /// For people.
    pub name: Option<String>,
    /// Currencies that are added, or have new prices. None is ever taken away: there may be money in it.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// Days from a capture to its value date, for captures to come.
    pub settlement_delay_days: Option<u16>,
    /// A raised number of shards.
    pub shards: Option<u16>,
    /// Whether it may start nothing.
    pub suspended: Option<bool>,
}

/// Why a merchant can't be so. Each is one sentence for the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MerchantRefusal {
    /// A text is empty or too long.
    #[error("{0} must have 1 to {TEXT_LENGTH_MAX} characters.")]
    Text(&'static str),
    /// None, or a price that is none.
    #[error(
        "There must be a currency, and each needs fee_basis_points from 0 to {BASIS_POINTS_MAX} and a fee_fixed from 0 to {AMOUNT_MAX}."
    )]
    Currencies,
    /// Withdrawn, or a unit that nobody pays with.
    #[error("{0} is not a current payment currency of ISO 4217, so it can't be added to a merchant.")]
    CurrencyNotCurrent(Currency),
    /// Out of range.
    #[error("settlement_delay_days must be from 0 to {SETTLEMENT_DELAY_DAYS_MAX}.")]
    SettlementDelay,
    /// Out of range.
    #[error("shards must be from 1 to {SHARDS_MAX}.")]
    Shards,
    /// What is on the shards above would not be found any more.
    #[error("shards can only be raised, and there are {largest} already.")]
    ShardsLowered {
        /// The largest count so far, in force or not yet.
        largest: u16,
    },
    /// The list of counts must end.
    #[error("shards can be raised {RAISES_MAX} times, and they were.")]
    ShardsRaisedTooOften,
    /// A change of nothing.
    #[error("Give at least one of name, currencies, settlement_delay_days, shards and suspended.")]
    NothingToChange,
}

/// A merchant as stored. The same in test and live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// Derived from the reference under which the operator created it.
    pub id: MerchantId,
    /// The operator's own name of it.
    pub reference: String,
    /// SHA-256 of the settings it was created with: it tells the same request, whatever was changed since.
    pub fingerprint: String,
    /// For people.
    pub name: String,
    /// Its rate limit.
    pub plan: Plan,
    /// The value of its key in that usage plan. Not a secret of the merchant's: it only counts requests.
    pub plan_key: String,
    /// The currencies it takes, and what a capture in each costs.
    pub currencies: BTreeMap<Currency, Pricing>,
    /// Days from a capture to its value date.
    pub settlement_delay_days: u16,
    /// Over how many shards its listings, journal, movements and events are spread, and since when.
    pub shards: Shards,
    /// A suspended merchant may read, but starts nothing.
    pub suspended: bool,
    /// 1 at creation, one more with each change.
    pub version: u64,
    /// The invocation that created it.
    pub request_id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

impl Merchant {
    /// A new merchant, or why there is none. `plan_key` is the value of its key in the usage plan.
    pub fn create(
        asked: NewMerchant, plan_key: String, request_id: &str, now: Timestamp,
    ) -> Result<Merchant, MerchantRefusal> {
        if asked.currencies.is_empty() {
            return Err(MerchantRefusal::Currencies);
        }
        checked_text("reference", &asked.reference)?;
        checked_text("name", &asked.name)?;
        checked_prices(&asked.currencies)?;
        checked_current(asked.currencies.keys())?;
        let mut merchant = Merchant {
            id: MerchantId::derive(&["merchant", &asked.reference]),
            reference: asked.reference,
            fingerprint: String::new(),
            name: asked.name,
            plan: asked.plan,
            plan_key,
            currencies: asked.currencies,
            settlement_delay_days: checked_delay(asked.settlement_delay_days.unwrap_or(SETTLEMENT_DELAY_DAYS_DEFAULT))?,
            shards: Shards::new(asked.shards.unwrap_or(SHARDS_DEFAULT), now).ok_or(MerchantRefusal::Shards)?,
            suspended: false,
            version: 1,
            request_id: request_id.to_owned(),
            created_at: now,
        };
        merchant.fingerprint = merchant.settings_fingerprint();
        Ok(merchant)
    }

    /// This merchant with the change, or why it can't be. None: it is so already. Raised shards are in force from
    /// `shards_from` on, which must be later than any copy of the merchant lives that a reader may have.
    pub fn changed(&self, asked: &MerchantChange, shards_from: Timestamp) -> Result<Option<Merchant>, MerchantRefusal> {
        if *asked == MerchantChange::default() {
            return Err(MerchantRefusal::NothingToChange);
        }
        let MerchantChange { name, currencies, settlement_delay_days, shards, suspended } = asked;
        checked_prices(currencies)?;
        checked_current(currencies.keys().filter(|currency| !self.currencies.contains_key(currency)))?;
        let mut changed = self.clone();
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

    /// The terms of a capture in this currency. None if the merchant has no price for it.
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
