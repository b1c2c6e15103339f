use super::*;
use crate::money::Minor;

fn currency(code: &str) -> Currency {
    Currency::parse(code).unwrap()
}

fn prices(code: &str, fee_basis_points: u16, fee_fixed: i64) -> BTreeMap<Currency, Pricing> {
    BTreeMap::from([(currency(code), Pricing { fee_basis_points, fee_fixed: Minor::new(fee_fixed) })])
}

fn acme_settings() -> NewMerchant {
    NewMerchant {
        reference: "acme".to_owned(),
        name: "Acme".to_owned(),
        plan: Plan::High,
        currencies: prices("USD", 290, 30),
        settlement_delay_days: None,
        shards: None,
    }
}

fn created(new: NewMerchant) -> Result<Merchant, MerchantRefusal> {
    Merchant::create(new, "plan key".to_owned(), "r", Timestamp::from_millis(0))
}

fn acme() -> Merchant {
    created(acme_settings()).unwrap()
}

/// The merchant of [`acme`] after a change. Raised shards are in force after an hour.
fn changed(change: MerchantChange) -> Result<Option<Merchant>, MerchantRefusal> {
    acme().changed(&change, Timestamp::from_millis(3_600_000))
}

fn no_change() -> MerchantChange {
    MerchantChange::default()
}

#[test]
fn the_same_reference_and_settings_give_the_same_merchant() {
    let explicit = NewMerchant { settlement_delay_days: Some(2), shards: Some(4), ..acme_settings() };
    assert_eq!(created(explicit), created(acme_settings()));
    for other in [
        NewMerchant { name: "Acme Inc".to_owned(), ..acme_settings() },
        NewMerchant { plan: Plan::Standard, ..acme_settings() },
        NewMerchant { currencies: prices("USD", 290, 31), ..acme_settings() },
        NewMerchant { currencies: prices("EUR", 290, 30), ..acme_settings() },
        NewMerchant { settlement_delay_days: Some(3), ..acme_settings() },
        NewMerchant { shards: Some(5), ..acme_settings() },
    ] {
        let other = created(other).unwrap();
        assert!(other.id == acme().id && other.fingerprint != acme().fingerprint, "{other:?}");
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    let long = "x".repeat(201);
    assert_eq!(
        created(NewMerchant { reference: String::new(), ..acme_settings() }),
        Err(MerchantRefusal::Text("reference"))
    );
    assert_eq!(
        created(NewMerchant { currencies: BTreeMap::new(), ..acme_settings() }),
        Err(MerchantRefusal::Currencies)
    );
    for name in [String::new(), long] {
        let refusal = MerchantRefusal::Text("name");
        assert_eq!(created(NewMerchant { name: name.clone(), ..acme_settings() }), Err(refusal.clone()));
        assert_eq!(changed(MerchantChange { name: Some(name), ..no_change() }), Err(refusal));
    }
    for (fee_basis_points, fee_fixed) in [(10_001, 0), (0, -1), (0, AMOUNT_MAX + 1)] {
        let currencies = prices("USD", fee_basis_points, fee_fixed);
        let refused = created(NewMerchant { currencies: currencies.clone(), ..acme_settings() });
        assert_eq!(refused, Err(MerchantRefusal::Currencies));
        assert_eq!(changed(MerchantChange { currencies, ..no_change() }), Err(MerchantRefusal::Currencies));
    }
    let settlement_delay_days = Some(31);
    let refused = created(NewMerchant { settlement_delay_days, ..acme_settings() });
    assert_eq!(refused, Err(MerchantRefusal::SettlementDelay));
    let refused = changed(MerchantChange { settlement_delay_days, ..no_change() });
    assert_eq!(refused, Err(MerchantRefusal::SettlementDelay));
    for shards in [Some(0), Some(257)] {
        assert_eq!(created(NewMerchant { shards, ..acme_settings() }), Err(MerchantRefusal::Shards));
        assert_eq!(changed(MerchantChange { shards, ..no_change() }), Err(MerchantRefusal::Shards));
    }
}

#[test]
fn settings_at_their_limits_are_accepted() {
    let currencies = prices("USD", 10_000, AMOUNT_MAX);
    let name = "ä".repeat(200);
    let most = NewMerchant {
        name: name.clone(),
        currencies: currencies.clone(),
        settlement_delay_days: Some(30),
        shards: Some(256),
        ..acme_settings()
    };
    assert!(created(most).is_ok());
    let least = NewMerchant { settlement_delay_days: Some(0), shards: Some(1), ..acme_settings() };
    assert!(created(least).is_ok());
    let most = MerchantChange {
        plan: Some(Plan::High),
        name: Some(name),
        currencies,
        settlement_delay_days: Some(30),
        shards: Some(256),
        suspended: Some(true),
    };
    assert!(changed(most).unwrap().is_some());
}

#[test]
fn an_empty_change_is_refused_and_an_equal_one_returns_none() {
    assert_eq!(changed(no_change()), Err(MerchantRefusal::NothingToChange));
    let same = MerchantChange {
        plan: Some(Plan::High),
        name: Some("Acme".to_owned()),
        currencies: prices("USD", 290, 30),
        settlement_delay_days: Some(2),
        shards: Some(4),
        suspended: Some(false),
    };
    assert_eq!(changed(same), Ok(None));
}

#[test]
fn a_change_sets_only_the_given_fields_and_the_version() {
    let change = MerchantChange { suspended: Some(true), ..no_change() };
    assert_eq!(changed(change), Ok(Some(Merchant { suspended: true, version: 2, ..acme() })));
    let change = MerchantChange { name: Some("Acme Inc".to_owned()), settlement_delay_days: Some(0), ..no_change() };
    let expected = Merchant { name: "Acme Inc".to_owned(), settlement_delay_days: 0, version: 2, ..acme() };
    assert_eq!(changed(change), Ok(Some(expected)));
}

#[test]
fn each_plan_has_its_own_plan_key() {
    let to = |merchant: &Merchant, plan| {
        let change = MerchantChange { plan: Some(plan), ..no_change() };
        merchant.changed(&change, Timestamp::from_millis(0)).unwrap()
    };
    assert_eq!(to(&acme(), Plan::High), None);
    let standard = to(&acme(), Plan::Standard).unwrap();
    assert_eq!((standard.plan, standard.version), (Plan::Standard, 2));
    assert_eq!((standard.plan_key.len(), standard.other_plan_key.as_deref()), (64, Some("plan key")));
    // An interrupted change, sent again, makes no third key.
    assert_eq!(to(&acme(), Plan::Standard).unwrap(), standard);
    let back = to(&standard, Plan::High).unwrap();
    assert_eq!((back.plan_key.as_str(), back.other_plan_key), ("plan key", Some(standard.plan_key)));
}

#[test]
fn currencies_are_added_or_repriced_and_never_removed() {
    let added = changed(MerchantChange { currencies: prices("EUR", 100, 0), ..no_change() }).unwrap().unwrap();
    let codes: Vec<&str> = added.currencies.keys().map(|currency| currency.code()).collect();
    assert_eq!(codes, ["EUR", "USD"]);
    assert_eq!(added.currencies[&currency("USD")].fee_basis_points, 290);
    let repriced = changed(MerchantChange { currencies: prices("USD", 100, 0), ..no_change() }).unwrap().unwrap();
    assert_eq!(repriced.currencies, prices("USD", 100, 0));
}

#[test]
fn terms_follow_the_currency() {
    let pricing = Pricing { fee_basis_points: 290, fee_fixed: Minor::new(30) };
    assert_eq!(acme().terms(currency("USD")), Some(Terms { pricing, settlement_delay_days: 2 }));
    assert_eq!(acme().terms(currency("EUR")), None);
}

#[test]
fn raised_shards_are_in_force_from_shards_from() {
    let raised = changed(MerchantChange { shards: Some(16), ..no_change() }).unwrap().unwrap();
    let at = Timestamp::from_millis;
    assert_eq!([0, 3_599_999, 3_600_000].map(|now| raised.shards.in_force(at(now))), [4, 4, 16]);
    assert_eq!(raised.shards.largest(), 16);
}

#[test]
fn withdrawn_currencies_cannot_be_added() {
    let refused = Err(MerchantRefusal::CurrencyNotCurrent(currency("BGN")));
    assert_eq!(created(NewMerchant { currencies: prices("BGN", 290, 30), ..acme_settings() }), refused);
    let change = MerchantChange { currencies: prices("BGN", 290, 30), ..no_change() };
    assert_eq!(changed(change.clone()).map(drop), refused.map(|_: Merchant| ()));
    // A merchant that accepted it before keeps it, and its price can change.
    let mut before = acme();
    before.currencies.extend(prices("BGN", 100, 0));
    let stored: Merchant = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
    let after = stored.changed(&change, Timestamp::from_millis(0)).unwrap().unwrap();
    assert_eq!(after.currencies[&currency("BGN")].fee_basis_points, 290);
}
