//! Whose data it is: a merchant, and whether it is test or live.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::MerchantId;
use crate::text::as_text;

/// Test data moves no real money; the two never mix.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    strum::EnumMessage,
    strum::EnumString,
    strum::IntoStaticStr,
    strum::VariantArray,
)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// The sandbox.
    Test,
    /// Real money.
    Live,
}

as_text!(Mode);

/// A merchant in one mode. It is part of every key of its data, so that no tenant can see another's: written
/// `mer_…#test`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tenant {
    /// The merchant.
    pub merchant: MerchantId,
    /// Its mode.
    pub mode: Mode,
}

impl Tenant {
    /// Reads `mer_…#test`.
    pub fn parse(text: &str) -> Option<Tenant> {
        let (merchant, mode) = text.split_once('#')?;
        Some(Tenant { merchant: MerchantId::parse(merchant).ok()?, mode: Mode::parse(mode)? })
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.merchant, self.mode.as_str())
    }
}

impl Serialize for Tenant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tenant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Tenant, D::Error> {
        let text = String::deserialize(deserializer)?;
        Tenant::parse(&text).ok_or_else(|| serde::de::Error::custom("not a tenant"))
    }
}
