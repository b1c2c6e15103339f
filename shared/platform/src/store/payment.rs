//! Payments, and the one write that settles one.

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};
use serde::Serialize;
use spillway_domain::id::PaymentId;
use spillway_domain::ledger::{JournalEntry, Movement};
use spillway_domain::payment::{Change, Payment, Status};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::due::DueSpace;
use super::reason::{Cancelled, update_lost};
use super::{Created, Item, Store, StoreError, keys, number, text, to_item};

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All of it is true now.
    Done,
    /// The payment had moved on: nothing was written.
    Stale,
}

#[derive(Serialize)]
struct StoredMovement<'a> {
    amount: i64,
    source: &'a PaymentId,
    request_id: &'a str,
}

impl Store {
    /// Stores an accepted payment, due in [`crate::runtime::Settings::first_due_s`]. One call, three write units: the
    /// item, its place in the merchant's list, its due time.
    pub async fn create_payment(&self, payment: &Payment) -> Result<Created<Payment>, StoreError> {
        let mut item = self.payment_item(payment)?;
        let key = keys::payment(&payment.tenant, &payment.id);
        self.set_due(&mut item, DueSpace::Money, &key, payment.created_at.plus_seconds(self.first_due_s));
        match self.create::<Payment>(item).await? {
            // The reply to an earlier try of this very request was lost.
            Created::Existing(ours) if ours.request_id == payment.request_id => Ok(Created::New),
            other => Ok(other),
        }
    }

    /// A payment of this tenant. None if there is none: a foreign one is as missing as any.
    pub async fn payment(&self, tenant: &Tenant, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        self.get(&keys::payment(tenant, id)).await
    }

    /// Commits a change: the payment's new state, its entry and movement, and its event, due itself. The payment is no
    /// longer due, unless a last look at the processor remains. Guard: it is still processing, at the version that was
    /// read.
    pub async fn commit_payment(&self, change: &Change) -> Result<Committed, StoreError> {
        let payment = &change.payment;
        let mut item = self.payment_item(payment)?;
        if let Some(at) = payment.last_look_at {
            self.set_due(&mut item, DueSpace::Money, &keys::payment(&payment.tenant, &payment.id), at);
        }
        let guarded = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("version = :version AND #status = :processing")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":version", number(change.from_version))
            .expression_attribute_values(":processing", text(status_text(Status::Processing)));
        let mut writes = vec![guarded.build()];
        if let Some((entry, movement)) = &change.posting {
            writes.push(self.new_item(entry_item(&payment.tenant, entry)?).build());
            writes.push(self.new_item(movement_item(&payment.tenant, entry, movement)?).build());
        }
        writes.push(self.new_item(self.event_item(&payment.tenant, &change.event, &payment.request_id)?).build());
        let mut request = self.client.transact_write_items().client_request_token(self.transaction_token());
        for write in writes {
            let put = write.map_err(|error| StoreError::Refused(error.to_string()))?;
            request = request.transact_items(TransactWriteItem::builder().put(put).build());
        }
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(Committed::Done),
            Err(Cancelled::Guard) => Ok(Committed::Stale),
            Err(Cancelled::Error(error)) => Err(error),
        }
    }

    /// Notes that the processor was asked and did not tell, and when to ask again. False if the payment has moved on.
    pub async fn ask_again(
        &self, payment: &Payment, absent_since: Option<Timestamp>, due_at: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = keys::payment(&payment.tenant, &payment.id);
        let mut update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .condition_expression("version = :version AND #status = :processing AND asks = :asked")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":version", number(payment.version))
            .expression_attribute_values(":processing", text(status_text(Status::Processing)))
            .expression_attribute_values(":asked", number(payment.asks))
            .expression_attribute_values(":asks", number(payment.asks.saturating_add(1)))
            .expression_attribute_values(":due_at", text(due_at.to_string()))
            .expression_attribute_values(":none", number(0));
        update = match absent_since {
            None => update.update_expression("SET asks = :asks, due_at = :due_at, due_claims = :none"),
            Some(since) => update
                .update_expression("SET asks = :asks, due_at = :due_at, due_claims = :none, absent_since = :since")
                .expression_attribute_values(":since", text(since.to_string())),
        };
        match update.send().await {
            Ok(_) => Ok(true),
            Err(error) => update_lost(error).map(|lost| !lost),
        }
    }

    /// The last look at the processor was taken: nothing more is due.
    pub async fn end_last_look(&self, payment: &Payment) -> Result<(), StoreError> {
        let result = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(keys::payment(&payment.tenant, &payment.id).attributes()))
            .update_expression("REMOVE last_look_at, due, due_at, due_claims")
            .condition_expression("attribute_exists(last_look_at)")
            .send()
            .await;
        match result {
            Ok(_) => Ok(()),
            Err(error) => update_lost(error).map(|_| ()),
        }
    }

    /// A put on condition that nothing has the item's key.
    fn new_item(&self, item: Item) -> aws_sdk_dynamodb::types::builders::PutBuilder {
        Put::builder().table_name(&self.table).set_item(Some(item)).condition_expression("attribute_not_exists(pk)")
    }

    fn payment_item(&self, payment: &Payment) -> Result<Item, StoreError> {
        let mut item = to_item(&keys::payment(&payment.tenant, &payment.id), payment)?;
        let (listing, at) = keys::payment_listing(&payment.tenant, payment.shard, payment.created_at, &payment.id);
        item.insert("listing".to_owned(), text(listing));
        item.insert("listing_at".to_owned(), text(at));
        Ok(item)
    }
}

fn status_text(status: Status) -> &'static str {
    match status {
        Status::Processing => "processing",
        Status::Succeeded => "succeeded",
        Status::Failed => "failed",
    }
}

fn entry_item(tenant: &Tenant, entry: &JournalEntry) -> Result<Item, StoreError> {
    to_item(&keys::journal_entry(tenant, &entry.id), entry)
}

fn movement_item(tenant: &Tenant, entry: &JournalEntry, movement: &Movement) -> Result<Item, StoreError> {
    let stored =
        StoredMovement { amount: movement.amount.units(), source: &entry.source, request_id: &entry.request_id };
    to_item(&keys::movement(tenant, &movement.key), &stored)
}
