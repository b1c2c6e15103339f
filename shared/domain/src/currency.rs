//! ISO 4217 currencies and their exponents.
//!
//! The table only grows, because stored payments, merchants and balances with an old code must stay readable. A code
//! that ISO withdraws is added to [`NOT_CURRENT`]. No crate is used, because the crates with this list drop withdrawn
//! codes.

use std::fmt;

use crate::text::serde_as_text;

/// A current or former currency of ISO 4217, with 0, 2 or 3 decimals. Every value is a known code.
///
/// These entries of ISO's list are left out, because they are not used for payments: metals and units of account of
/// banks and funds, most of them without a minor unit (XAU, XAG, XPT, XPD, XDR, XSU, XUA, XAD, XBA to XBD); index and
/// accounting units of one country, two of them with four decimals (BOV, CLF, COU, MXV, USN, UYI, UYW); the Swiss WIR
/// (CHE, CHW); and the codes for tests and for "no currency" (XTS, XXX).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency(&'static str);

/// The text is not a known currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a three-letter upper-case ISO 4217 currency code")]
pub struct UnknownCurrency;

/// Currencies that are still read, but can't be added to a merchant: the Netherlands Antillean guilder became XCG in
/// 2025, the lev became EUR in 2026, and UYI is an index unit of Uruguay.
const NOT_CURRENT: [&str; 3] = ["ANG", "BGN", "UYI"];

/// Currencies without minor units.
const EXPONENT_0: [&str; 17] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
];

/// Currencies with three decimals.
const EXPONENT_3: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// Currencies with two decimals.
#[rustfmt::skip]
const EXPONENT_2: [&str; 134] = [
    "AED", "AFN", "ALL", "AMD", "ANG", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE", "CZK",
    "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD", "GTQ", "GYD",
    "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW", "KYD", "KZT", "LAK",
    "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU", "MUR", "MVR", "MWK", "MXN",
    "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "QAR", "RON",
    "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE", "SOS", "SRD", "SSP", "STN", "SVC", "SYP",
    "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "USD", "UYU", "UZS", "VED", "VES", "WST",
    "XCD", "XCG", "YER", "ZAR", "ZMW", "ZWG",
];

impl Currency {
    /// Parses the upper-case code of a current or former currency. Errors if the code is unknown.
    pub fn parse(code: &str) -> Result<Currency, UnknownCurrency> {
        [&EXPONENT_2[..], &EXPONENT_0[..], &EXPONENT_3[..]]
            .into_iter()
            .flatten()
            .find(|known| **known == code)
            .map(|known| Currency(known))
            .ok_or(UnknownCurrency)
    }

    /// Whether this currency can be added to a merchant.
    pub fn is_current(self) -> bool {
        !NOT_CURRENT.contains(&self.0)
    }

    /// The ISO code, such as `USD`.
    pub fn code(self) -> &'static str {
        self.0
    }

    /// The number of decimals: 0, 2 or 3.
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

serde_as_text!(Currency);

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn parse_accepts_only_known_upper_case_codes() {
        assert_eq!(Currency::parse("USD").map(Currency::code), Ok("USD"));
        for wrong in ["usd", "US", "USDX", "XXX", "XAU", "CLF", "BTC", ""] {
            assert_eq!(Currency::parse(wrong), Err(UnknownCurrency), "{wrong}");
        }
    }

    /// ISO's list. The file names its sources and their dates.
    const LIST_ONE: &str = include_str!("currency/list_one.tsv");
    /// The entries of ISO's list that [`Currency`] leaves out.
    #[rustfmt::skip]
    const NOT_FOR_PAYMENTS: [&str; 23] = [
        "BOV", "CHE", "CHW", "CLF", "COU", "MXV", "USN", "UYI", "UYW", "XAD", "XAG", "XAU", "XBA", "XBB", "XBC", "XBD",
        "XDR", "XPD", "XPT", "XSU", "XTS", "XUA", "XXX",
    ];

    #[test]
    fn the_current_currencies_match_iso_4217() {
        let lines = LIST_ONE.lines().filter(|line| !line.starts_with('#'));
        let listed = lines.map(|line| line.split_once('\t').unwrap());
        let listed: BTreeMap<&str, &str> =
            listed.map(|(code, rest)| (code, rest.split('\t').next().unwrap())).collect();
        assert_eq!(listed.len(), 178);
        for code in NOT_FOR_PAYMENTS {
            assert!(listed.contains_key(code) && !Currency::parse(code).is_ok_and(Currency::is_current), "{code}");
        }
        let for_payments = listed.into_iter().filter(|(code, _)| !NOT_FOR_PAYMENTS.contains(code));
        let for_payments = for_payments.map(|(code, exponent)| (code, exponent.parse::<u32>().unwrap()));
        let known = [&EXPONENT_0[..], &EXPONENT_2[..], &EXPONENT_3[..]].concat();
        let current = known.into_iter().map(|code| Currency::parse(code).unwrap()).filter(|known| known.is_current());
        let current: BTreeMap<&str, u32> = current.map(|currency| (currency.code(), currency.exponent())).collect();
        assert_eq!(current, for_payments.collect());
    }

    #[test]
    fn exponents_match_iso_4217() {
        for (exponent, codes) in [
            (0, "BIF CLP ISK JPY KRW PYG VND XAF XOF XPF"),
            (2, "EUR HUF IDR MGA MRU SLE USD VED XCD XCG ZMW ZWG"),
            (3, "BHD IQD JOD KWD LYD OMR TND"),
        ] {
            for code in codes.split(' ') {
                let currency = Currency::parse(code).unwrap();
                assert_eq!((currency.exponent(), currency.is_current()), (exponent, true), "{code}");
            }
        }
    }

    #[test]
    fn withdrawn_currencies_stay_readable() {
        for (code, exponent) in [("ANG", 2), ("BGN", 2), ("UYI", 0)] {
            let stored: Currency = serde_json::from_value(code.into()).unwrap();
            assert_eq!((stored.code(), stored.exponent(), stored.is_current()), (code, exponent, false));
        }
    }
}
