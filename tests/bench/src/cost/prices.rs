//! AWS's prices: the list in `prices.json`, each with the page that it is from.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::money::{Money, Quantity};

const LIST: &str = include_str!("../../prices.json");

/// A list of prices.
#[derive(Debug, Clone)]
pub struct Prices {
    /// Region of the prices.
    pub region: String,
    /// Date of the look-up.
    pub looked_up: String,
    by_name: BTreeMap<String, Price>,
}

/// Price of one billed item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Price {
    /// What the item is for.
    pub what: String,
    /// Billed unit.
    pub unit: String,
    /// First tier as on the page, `3.50 for 1,000,000`.
    pub written: String,
    tiers: Vec<(Option<Quantity>, Money)>,
}

#[derive(Deserialize)]
struct List {
    region: String,
    looked_up: String,
    prices: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    what: String,
    unit: String,
    /// Number of units that the page's price is for.
    #[serde(default = "one")]
    per: u64,
    tiers: Vec<Tier>,
    page: String,
}

#[derive(Deserialize)]
struct Tier {
    /// Upper end of the tier in units a month; `None` for the last tier.
    up_to: Option<u64>,
    dollars: String,
}

fn one() -> u64 {
    1
}

impl Prices {
    /// The list in the repository; `Err` is a sentence.
    pub fn read() -> Result<Prices, String> {
        Prices::of(LIST, "prices.json")
    }

    /// The list that `PRICES` names, else the one in the repository. Its region is `REGION`; `Err` is a sentence.
    pub fn from_environment() -> Result<Prices, String> {
        let prices = match std::env::var("PRICES") {
            Ok(path) => {
                let list = std::fs::read_to_string(&path).map_err(|error| format!("{path} can't be read: {error}."))?;
                let prices = Prices::of(&list, &path)?;
                let needed = Prices::read()?.by_name;
                match needed.keys().find(|item| !prices.by_name.contains_key(*item)) {
                    Some(item) => return Err(format!("{path} has no price of {item}.")),
                    None => prices,
                }
            }
            Err(_) => Prices::read()?,
        };
        match std::env::var("REGION") {
            Ok(region) if region != prices.region => Err(format!(
                "The prices are those of {}. For {region}, copy tests/bench/prices.json, set its region and prices, and name \
                 the copy: PRICES=file.",
                prices.region
            )),
            _ => Ok(prices),
        }
    }

    /// Reads a list; `name` names it in the sentence of an `Err`.
    fn of(list: &str, name: &str) -> Result<Prices, String> {
        let list: List = serde_json::from_str(list).map_err(|error| format!("{name}: {error}"))?;
        let prices = list.prices.into_iter().map(|(item, entry)| {
            let price = Price::of(&entry).ok_or_else(|| format!("{name}: the tiers of {item} make no sense"))?;
            Ok((item, price))
        });
        let by_name: BTreeMap<String, Price> = prices.collect::<Result<_, String>>()?;
        Ok(Prices { region: list.region, looked_up: list.looked_up, by_name })
    }

    /// The price of this name. Panics if it is missing, which is a mistake in this program.
    pub fn get(&self, name: &str) -> &Price {
        match self.by_name.get(name) {
            Some(price) => price,
            None => unreachable!("prices.json has no {name}"),
        }
    }

    /// The same list with another price for this name.
    pub fn with(&self, name: &str, price: Price) -> Prices {
        let mut changed = self.clone();
        changed.by_name.insert(name.to_owned(), price);
        changed
    }
}

impl Price {
    fn of(entry: &Entry) -> Option<Price> {
        let mut tiers = Vec::new();
        for tier in &entry.tiers {
            tiers.push((tier.up_to.map(Quantity::whole), Money::of_price(&tier.dollars, entry.per)?));
        }
        let (last, others) = tiers.split_last()?;
        let mut ends = others.iter().map(|(up_to, _)| *up_to);
        let rise = ends.clone().zip(ends.clone().skip(1)).all(|(lower, higher)| lower < higher);
        let sound = last.0.is_none() && ends.all(|up_to| up_to.is_some()) && rise && entry.page.starts_with("https://");
        let first = &entry.tiers.first()?.dollars;
        let written = match entry.per {
            1 => first.clone(),
            per => format!("{first} for {}", Quantity::whole(per).shown()),
        };
        sound.then(|| Price { what: entry.what.clone(), unit: entry.unit.clone(), written, tiers })
    }

    /// A single price for any quantity.
    pub fn flat(&self, written: &str, each: Money) -> Price {
        Price { written: written.to_owned(), tiers: vec![(None, each)], ..self.clone() }
    }

    /// Price of the first unit.
    pub fn first(&self) -> Money {
        self.tiers.first().map_or(Money::default(), |(_, price)| *price)
    }

    /// Price of a month's quantity, tier by tier.
    pub fn of_month(&self, quantity: Quantity) -> Money {
        let mut from = Quantity::default();
        let parts = self.tiers.iter().map(|(up_to, price)| {
            let part = quantity.between(from, *up_to);
            from = up_to.unwrap_or(from);
            part * *price
        });
        parts.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dollars(price: &str, quantity: u64) -> String {
        Prices::read().unwrap().get(price).of_month(Quantity::whole(quantity)).shown()
    }

    #[test]
    fn each_tier_has_its_own_price() {
        // 333 million at 3.50 and 667 million at 2.80, then 500 million at 2.38: 1,165.50 + 1,867.60 + 1,190.00.
        assert_eq!(dollars("gateway_request", 1_500_000_000), "4,223.10");
        // 20 billion: 1,165.50 + 1,867.60 + 19,000 × 2.38; one million more at 1.51.
        assert_eq!(dollars("gateway_request", 20_000_000_000), "48,253.10");
        assert_eq!(dollars("gateway_request", 20_001_000_000), "48,254.61");
        // 10 TB at 0.50 are 5,120; 20 TB more at 0.25 are 5,120; the last GB at 0.10.
        assert_eq!(dollars("lambda_log_gb", 10_240 + 20_480 + 1), "10,240.10");
        // 7.5 billion GB-seconds at 0.0000133334.
        assert_eq!(dollars("lambda_gb_second", 7_500_000_000), "100,000.50");
    }

    #[test]
    fn a_single_price_covers_any_quantity() {
        assert_eq!(dollars("write_unit", 19_000_000), "11.88");
        assert_eq!(dollars("read_unit", 0), "0.00");
    }

    #[test]
    fn invalid_tiers_are_refused() {
        let entry = |tiers: serde_json::Value| {
            let entry = serde_json::json!({"what": "", "unit": "", "tiers": tiers, "page": "https://aws.amazon.com"});
            Price::of(&serde_json::from_value(entry).unwrap())
        };
        let tier = |up_to: Option<u64>| serde_json::json!({"up_to": up_to, "dollars": "1"});
        assert!(entry(serde_json::json!([tier(Some(1)), tier(Some(2)), tier(None)])).is_some());
        for wrong in [vec![], vec![Some(1)], vec![None, None], vec![Some(2), Some(1), None]] {
            let tiers: Vec<_> = wrong.iter().copied().map(tier).collect();
            assert_eq!(entry(serde_json::json!(tiers)), None, "{wrong:?}");
        }
    }
}
