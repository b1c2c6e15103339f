//! Finding an item by its id. The key of an item contains its merchant and mode, and no index has ids. So the key is
//! read for each merchant and mode: twice for most kinds, four times for a webhook endpoint, once for an API key.

use spillway_domain::id::MerchantId;
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_domain::tenant::{Mode, Tenant};
use spillway_store::{TableKey, keys};

use crate::error::TraceError;
use crate::history::counted;
use crate::table::{Item, Table};
use crate::target::Target;

/// An item that was found, with its owner.
pub struct Found {
    pub tenant: Tenant,
    pub item: Item,
}

/// Finds the item, in the data of one merchant or of all, and reads it strongly. Errors if it does not exist, or was
/// written so recently that an eventually consistent read does not see it.
pub async fn find(table: &Table, target: &Target, merchant: Option<&MerchantId>) -> Result<Found, TraceError> {
    if let Some(merchant) = merchant {
        let found = among(table, target, std::slice::from_ref(merchant)).await?;
        return found.ok_or_else(|| not_found(table, target, merchant.to_string()));
    }
    let (mut count, mut from) = (0_u64, None);
    loop {
        let page = table.listed(keys::MERCHANTS, None, from).await?;
        let merchants: Vec<MerchantId> = page.keys.iter().filter_map(|key| MerchantId::parse(&key.pk).ok()).collect();
        count += merchants.len() as u64;
        if let Some(found) = among(table, target, &merchants).await? {
            return Ok(found);
        }
        from = page.next;
        if from.is_none() {
            return Err(not_found(table, target, counted(count, "merchant")));
        }
    }
}

fn not_found(table: &Table, target: &Target, merchants: String) -> TraceError {
    TraceError::NotFound { what: target.what(), id: target.id(), table: table.name().to_owned(), merchants }
}

async fn among(table: &Table, target: &Target, merchants: &[MerchantId]) -> Result<Option<Found>, TraceError> {
    let candidates: Vec<(Tenant, TableKey)> =
        merchants.iter().flat_map(|merchant| candidates(target, merchant)).collect();
    let all: Vec<TableKey> = candidates.iter().map(|(_, key)| key.clone()).collect();
    let Some((key, _)) = table.items(&all).await?.into_iter().next() else { return Ok(None) };
    let Some(item) = table.item(&key).await? else { return Ok(None) };
    let owner = candidates.into_iter().find(|(_, candidate)| *candidate == key).map(|(tenant, _)| tenant);
    // The key of an API key has no mode.
    let stored = item.get("tenant").and_then(|tenant| Tenant::parse(tenant.as_str()?));
    Ok(stored.or(owner).map(|tenant| Found { tenant, item }))
}

/// The keys that the item has if this merchant owns it.
fn candidates(target: &Target, merchant: &MerchantId) -> Vec<(Tenant, TableKey)> {
    let tenants = [Mode::Test, Mode::Live].map(|mode| Tenant { merchant: merchant.clone(), mode });
    let of_both = |key: &dyn Fn(&Tenant) -> TableKey| {
        tenants.iter().map(|tenant| (tenant.clone(), key(tenant))).collect::<Vec<_>>()
    };
    match target {
        Target::Payment(id) => of_both(&|tenant| keys::resource::<Payment>(tenant, id)),
        Target::Refund(id) => of_both(&|tenant| keys::resource::<Refund>(tenant, id)),
        Target::Entry(id) => of_both(&|tenant| keys::journal_entry(tenant, id)),
        Target::Event(id) => of_both(&|tenant| keys::event(tenant, id)),
        Target::Delivery(event, endpoint) => of_both(&|tenant| keys::delivery(tenant, event, endpoint)),
        Target::Endpoint(id) => {
            let mut found = of_both(&|tenant| keys::webhook_endpoint(tenant, id));
            found.extend(of_both(&|tenant| keys::deleted_webhook_endpoint(tenant, id)));
            found
        }
        Target::Key(id) => {
            let [test, _] = tenants;
            vec![(test, keys::api_key_id(merchant, id.as_str()))]
        }
        // A request has no item.
        Target::Request(_) => Vec::new(),
    }
}
