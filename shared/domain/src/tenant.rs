//! Tenants: the owner of data is a merchant in one mode, test or live.

use std::fmt;

use strum::{EnumMessage, EnumString, IntoStaticStr, VariantArray};

use crate::id::MerchantId;
use crate::text::{as_text, serde_as_text};

/// Test mode moves no real money. Data of the two modes never mix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumMessage, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Mode {
    /// The sandbox.
    Test,
    /// Real money.
    Live,
}

as_text!(Mode);

/// A merchant in one mode, written `mer_…#test`. Every key of its data contains it, so that a tenant can't see another
/// tenant's data.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The merchant.
    pub merchant: MerchantId,
    /// The mode.
    pub mode: Mode,
}

impl Tenant {
    /// Parses `mer_…#test`. None if the text has another form.
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

serde_as_text!(Tenant, "not a tenant");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_reads_back_from_its_text() {
        let merchant = MerchantId::parse("mer_7ccpzn4gffpza71gj3mr6qsffj").unwrap();
        for (mode, text) in
            [(Mode::Test, "mer_7ccpzn4gffpza71gj3mr6qsffj#test"), (Mode::Live, "mer_7ccpzn4gffpza71gj3mr6qsffj#live")]
        {
            let tenant = Tenant { merchant: merchant.clone(), mode };
            assert_eq!((tenant.to_string().as_str(), Tenant::parse(text)), (text, Some(tenant.clone())));
            assert_eq!(serde_json::to_value(&tenant).unwrap(), text);
            assert_eq!(serde_json::from_value::<Tenant>(text.into()).unwrap(), tenant);
        }
    }

    #[test]
    fn parse_refuses_a_text_without_merchant_or_mode() {
        for wrong in ["", "test", "mer_7ccpzn4gffpza71gj3mr6qsffj", "mer_7ccpzn4gffpza71gj3mr6qsffj#prod", "mer_x#test"]
        {
            assert_eq!(Tenant::parse(wrong), None, "{wrong}");
        }
    }
}
