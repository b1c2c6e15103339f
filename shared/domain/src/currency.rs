//! ISO 4217 currencies and their exponents.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A currency of ISO 4217 that has 0, 2 or 3 decimals. A value that exists is a known code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(&'static str);

/// The text is no known currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a three-letter upper-case ISO 4217 currency code")]
pub struct UnknownCurrency;

/// Currencies without minor units.
const EXPONENT_0: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
];

/// Currencies with thousandths.
const EXPONENT_3: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Currencies with hundredths.
#[rustfmt::skip]
const EXPONENT_2: [&str; 130] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE", "CZK",
    "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD",
    "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK",
    "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN",
    "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON",
    "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VES", "WST", "XCD",
    "YER", "ZAR",
];

impl Currency {
    /// Reads an upper-case code.
    pub fn parse(code: &str) -> Result<Currency, UnknownCurrency> {
        [&EXPONENT_2[..], &EXPONENT_0[..], &EXPONENT_3[..]]
            .into_iter()
            .flatten()
            .find(|known| **known == code)
            .map(|known| Currency(known))
            .ok_or(UnknownCurrency)
    }

    /// The ISO code, such as `USD`.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// How many decimals a major unit has: 0, 2 or 3.
    pub fn exponent(self) -> u32 {
        if EXPONENT_0.contains(&self.0) {
            0
        } else if EXPONENT_3.contains(&self.0) {
            3
        } else {
            2
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
        let code = String::deserialize(deserializer)?;
        Currency::parse(&code).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_upper_case_known_codes_are_currencies() {
        assert_eq!(Currency::parse("USD").map(Currency::code), Ok("USD"));
        for wrong in ["usd", "US", "USDX", "XXX", "BTC", ""] {
            assert_eq!(Currency::parse(wrong), Err(UnknownCurrency), "{wrong}");
        }
    }

    #[test]
    fn exponents_are_those_of_iso_4217() {
        for (code, exponent) in [("JPY", 0), ("USD", 2), ("EUR", 2), ("KWD", 3), ("TND", 3), ("ISK", 0)] {
            assert_eq!(Currency::parse(code).unwrap().exponent(), exponent, "{code}");
        }
    }
}
