//! Payments, and the one write that settles one.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, TransactWriteItem, Update};
use spillway_domain::id::PaymentId;
use spillway_domain::page::{Asked, Filter, Page};
use spillway_domain::payment::{Change, Payment, Status};
use spillway_domain::tenant::Tenant;
use spillway_domain::time::Timestamp;

use super::balance::movement_item;
use super::difference::Difference;
use super::due::{Due, DueSpace};
use super::listing::{List, Rows};
use super::reason::Cancelled;
use super::{Created, Key, Store, StoreError, keys, number, text, to_item};

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// All of it is true now.
    Done,
    /// The payment had moved on: nothing was written.
    Stale,
}

/// The place of the guarded payment among the actions of its transaction.
const PAYMENT_ACTION: usize = 0;

/// Attributes of a payment that sweeps and other copies of its message change without changing what guards a commit.
const ASKING: [&str; 5] = ["due", "due_at", "due_claims", "next_ask_at", "absent_since"];

impl Store {
    /// Stores an accepted payment, due after `FIRST_DUE_SECONDS`. One call, three write units: the
    /// item, its place in the merchant's list, its due time.
    pub async fn create_payment(&self, payment: &Payment) -> Result<Created<Payment>, StoreError> {
        let key = keys::payment(&payment.tenant, &payment.id);
        let mut item = to_item(&key, payment)?;
        keys::payment_listing(&payment.tenant, payment.shard, payment.created_at, &payment.id).put_into(&mut item);
        self.set_due(&mut item, DueSpace::Money, &key, self.first_due(payment.created_at)?);
        self.create(item).await
    }

    /// A payment of this tenant. None if there is none: a foreign one is as missing as any.
    pub async fn payment(&self, tenant: &Tenant, id: &PaymentId) -> Result<Option<Payment>, StoreError> {
        self.get(&keys::payment(tenant, id)).await
    }

    /// A payment of this tenant with its due time.
    pub async fn payment_with_due(
        &self, tenant: &Tenant, id: &PaymentId,
    ) -> Result<Option<(Payment, Option<Due>)>, StoreError> {
        self.get_with_due(&keys::payment(tenant, id)).await
    }

    /// A page of a tenant's payments over `shards` shards. Where they are comes from the index, so a payment that was
    /// accepted an instant ago may be missing; what they are is read strongly. One that can't be read is left out.
    pub async fn payments(
        &self, tenant: &Tenant, shards: u16, asked: &Asked, filter: &Filter<Status>,
    ) -> Result<Page<Payment>, StoreError> {
        let list = List {
            rows: Rows::LISTING,
            partitions: (0..shards).map(|shard| keys::payment_listings(tenant, shard)).collect(),
            // A place in the list begins with its time.
            from: asked.created_from.map(|time| time.to_string()),
            before: asked.created_before.map(|time| time.to_string()),
        };
        self.page(list, asked, filter.is_open(), async |rows| {
            let unreadable = || StoreError::Corrupt("a row of the index has no key".to_owned());
            let keys: Option<Vec<Key>> = rows.iter().map(Key::of).collect();
            let items = self.get_all(&keys.ok_or_else(unreadable)?).await?;
            let payments = items.into_iter().map(|item| {
                let payment: Option<Payment> = item.and_then(|item| self.read(item).ok());
                payment.filter(|payment| filter.passes(&payment.status, payment.currency))
            });
            Ok(payments.collect())
        })
        .await
    }

    /// Commits a change: the payment's new state, its entry and movement, and its event, due itself. The payment is no
    /// longer due, unless a last look at the processor remains. Guard: it is still processing, at the version that was
    /// read.
    pub async fn commit_payment(&self, change: &Change) -> Result<Committed, StoreError> {
        let payment = &change.payment;
        let guarded = self.settled(change)?.build().map_err(StoreError::incomplete)?;
        let mut request = self
            .client
            .transact_write_items()
            .client_request_token(self.transaction_token())
            .transact_items(TransactWriteItem::builder().update(guarded).build());
        let mut new_items = vec![self.event_item(&payment.tenant, &change.event)?];
        if let Some((entry, movement)) = &change.posting {
            new_items.push(to_item(&keys::journal_entry(&payment.tenant, &entry.id), entry)?);
            new_items.push(movement_item(&payment.tenant, entry, movement)?);
        }
        for item in new_items {
            request = request.transact_items(self.creation(item)?);
        }
        match request.send().await.map_err(Cancelled::from_sdk) {
            Ok(_) => Ok(Committed::Done),
            Err(Cancelled::Guard(PAYMENT_ACTION)) => Ok(Committed::Stale),
            Err(Cancelled::Guard(_)) => {
                Err(StoreError::Corrupt(format!("{}: what follows is there already", payment.id)))
            }
            Err(Cancelled::Error(error)) => Err(error),
        }
    }

    /// The update that brings the payment to its new state.
    fn settled(&self, change: &Change) -> Result<UpdateBuilder, StoreError> {
        let payment = &change.payment;
        let key = keys::payment(&payment.tenant, &payment.id);
        let mut item = to_item(&key, payment)?;
        if let Some(at) = payment.last_look_at {
            self.set_due(&mut item, DueSpace::Money, &key, at);
        }
        let difference = Difference::between(&to_item(&key, &change.read)?, &item, &ASKING);
        Ok(Update::builder()
            .table_name(&self.table)
            .set_key(Some(key.attributes()))
            .update_expression(difference.expression())
            .set_expression_attribute_names(Some(difference.names))
            .set_expression_attribute_values(Some(difference.values))
            .condition_expression("version = :from AND #status = :processing")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":from", number(change.read.version))
            .expression_attribute_values(":processing", status_text(Status::Processing)))
    }

    /// Notes that the processor was asked in vain, and when it is asked again: `asked` is the payment from
    /// [`Payment::asked_in_vain`]. False if it has moved on, or another copy of the message noted it.
    pub async fn ask_again(&self, asked: &Payment, next_ask_at: Timestamp) -> Result<bool, StoreError> {
        let key = keys::payment(&asked.tenant, &asked.id);
        let mut sets = "SET asks = :asks, next_ask_at = :next, due_at = :due_at, due_claims = :none".to_owned();
        let mut update = self
            .update(&key)
            .condition_expression("version = :version AND #status = :processing AND asks < :asks")
            .expression_attribute_names("#status", "status")
            .expression_attribute_values(":version", number(asked.version))
            .expression_attribute_values(":processing", status_text(Status::Processing))
            .expression_attribute_values(":asks", number(asked.asks))
            .expression_attribute_values(":next", text(next_ask_at.to_string()))
            .expression_attribute_values(":due_at", text(self.first_due(next_ask_at)?.to_string()))
            .expression_attribute_values(":none", number(0));
        if let Some(since) = asked.absent_since {
            sets.push_str(", absent_since = :since");
            update = update.expression_attribute_values(":since", text(since.to_string()));
        }
        self.write(update.update_expression(sets)).await
    }

    /// Notes that the last look at the processor was taken, after which nothing more is due. `due` is the due time that
    /// was read with the payment; where it was set anew since, all stays as it is, and the next message looks again.
    pub async fn end_last_look(&self, payment: &Payment, due: &Due) -> Result<(), StoreError> {
        let update = self
            .update(&keys::payment(&payment.tenant, &payment.id))
            .update_expression("REMOVE last_look_at, due, due_at, due_claims")
            .condition_expression("due_at = :seen")
            .expression_attribute_values(":seen", due.seen());
        self.write(update).await.map(drop)
    }
}

/// The status as stored, by serde, so that conditions and items can't differ.
fn status_text(status: Status) -> AttributeValue {
    serde_dynamo::to_attribute_value(status).unwrap_or_else(|_: serde_dynamo::Error| text(""))
}
