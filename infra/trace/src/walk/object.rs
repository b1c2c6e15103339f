//! Payments and refunds: what was asked, each change, and what the processor was asked.

use serde_json::Value;
use spillway_domain::balance::SHARDS_PER_PART;
use spillway_domain::id::{EntryId, EventId, PaymentId};
use spillway_domain::refund::Refund;
use spillway_domain::time::Timestamp;
use spillway_store::keys;

use super::Walk;
use crate::error::TraceError;
use crate::history::{Wait, counted, number, some_text, text};
use crate::table::Item;

/// The version of an object that its creation makes, and the one that its result makes.
const CREATION: u64 = 1;
const RESULT: u64 = 2;

impl Walk<'_> {
    /// A payment with its refunds.
    pub(super) async fn payment(&mut self, item: &Item) -> Result<(), TraceError> {
        let asked = asked(item);
        let accepted =
            format!("{} {}, request {}", number(&asked, "amount"), text(&asked, "currency"), text(item, "request_id"));
        self.history.step(text(item, "created_at"), "accepted", accepted);
        let refunds = self.refunds(text(item, "id")).await?;
        let first_refund = refunds.iter().map(|refund| text(refund, "created_at")).min();
        self.processor(item).await?;
        self.asking(item);
        if text(item, "status") != "processing" {
            let at = self.result_at(item, first_refund).await?;
            self.history.step(&at, text(item, "status"), failure(item));
            self.change(item, RESULT, &at).await?;
        }
        self.history.name(text(item, "id"));
        for refund in &refunds {
            self.refund(refund).await?;
        }
        Ok(())
    }

    /// A refund, without its payment.
    pub(super) async fn refund(&mut self, item: &Item) -> Result<(), TraceError> {
        let (id, asked) = (text(item, "id"), asked(item));
        let what = format!(
            "{id} {} {} of {}, request {}",
            number(&asked, "amount"),
            text(item, "currency"),
            text(item, "payment"),
            text(item, "request_id")
        );
        self.history.step(text(item, "created_at"), "refund", what);
        self.processor(item).await?;
        self.asking(item);
        self.change(item, CREATION, text(item, "created_at")).await?;
        if text(item, "status") != "pending" {
            let at = text(item, "updated_at");
            self.history.step(at, "refund", format!("{id} {} {}", text(item, "status"), failure(item)).trim_end());
            self.change(item, RESULT, at).await?;
        }
        self.history.name(id);
        Ok(())
    }

    /// The refunds of a payment. The index may lack one that was created a moment ago.
    async fn refunds(&self, payment: &str) -> Result<Vec<Item>, TraceError> {
        let Ok(payment) = PaymentId::parse(payment) else { return Ok(Vec::new()) };
        let partition = keys::listings_under::<Refund>(self.tenant, &payment.into());
        let (mut refunds, mut from) = (Vec::new(), None);
        loop {
            let page = self.table.listed(&partition, None, from).await?;
            refunds.extend(self.table.items(&page.keys).await?.into_iter().map(|(_, item)| item));
            from = page.next;
            if from.is_none() {
                return Ok(refunds);
            }
        }
    }

    /// The calls that the sandbox processor counts. Other processors keep theirs; the log lines have the outcomes.
    async fn processor(&mut self, item: &Item) -> Result<(), TraceError> {
        if text(item, "processor") != "sandbox" {
            return Ok(());
        }
        let partition = keys::sandbox_call(text(item, "id"), "").pk;
        for call in self.table.partition(&partition, text(item, "id")).await? {
            let asked = format!("{} asked {}", text(&call, "sk"), counted(number(&call, "calls"), "time"));
            self.history.step(text(&call, "called_at"), "processor", asked);
            self.history.step(text(&call, "charged_at"), "processor", "charged");
            self.history.step(text(&call, "refunded_at"), "processor", "refunded");
        }
        Ok(())
    }

    /// What the object waits for at the processor.
    fn asking(&mut self, item: &Item) {
        let Some(asking) = item.get("asking").and_then(Value::as_object) else { return };
        let mut waits_for = format!("the processor {} to {}", text(item, "processor"), text(asking, "verb"));
        let asks = number(asking, "asks");
        if asks > 0 {
            waits_for += &format!(", {} without an outcome", counted(asks, "call"));
        }
        if let Some(since) = some_text(asking, "absent_since") {
            waits_for += &format!(", not found there at {since}");
        }
        let wait = Wait::of(item, text(item, "id"), waits_for, text(asking, "since"));
        self.history.waits.push(Wait { next_at: some_text(asking, "next_at"), ..wait });
    }

    /// The time of a payment's result. Refunds move `updated_at`; then the time is the one of the capture's entry, which
    /// is looked for from the payment's creation on. Empty if the entry is not found.
    async fn result_at(&self, item: &Item, first_refund: Option<&str>) -> Result<String, TraceError> {
        if number(item, "version") == RESULT {
            return Ok(text(item, "updated_at").to_owned());
        }
        let until = first_refund.unwrap_or(text(item, "updated_at"));
        let [Ok(from), Ok(until)] = [text(item, "created_at"), until].map(Timestamp::parse) else {
            return Ok(String::new());
        };
        let range = (EntryId::first_at(from), EntryId::first_at(until.plus_millis(1)));
        let journal = keys::journal(self.tenant, shard(item));
        let entry = self.table.first_of(&journal, (&range.0, &range.1), text(item, "id")).await?;
        Ok(entry.map(|entry| text(&entry, "created_at").to_owned()).unwrap_or_default())
    }

    /// The entry and the event of one version of an object, which was made at this time.
    async fn change(&mut self, item: &Item, version: u64, at: &str) -> Result<(), TraceError> {
        let Ok(at) = Timestamp::parse(at) else { return Ok(()) };
        let (version, shard) = (version.to_string(), shard(item));
        let parts = [text(item, "id"), version.as_str()];
        // An entry that takes from the merchant is on a shard of the first part of the balance.
        let entries = [shard, shard % SHARDS_PER_PART].map(|shard| EntryId::ordered(at, shard, &parts));
        for id in if entries[0] == entries[1] { &entries[..1] } else { &entries } {
            if let Some(entry) = self.table.item(&keys::journal_entry(self.tenant, id)).await? {
                self.entry(&entry).await?;
            }
        }
        self.event_of(&EventId::ordered(at, shard, &parts)).await
    }
}

/// The client's request.
fn asked(item: &Item) -> Item {
    item.get("asked").and_then(Value::as_object).cloned().unwrap_or_default()
}

fn failure(item: &Item) -> &str {
    item.get("failure").and_then(|failure| failure["code"].as_str()).unwrap_or_default()
}

/// The shard of an object.
pub(super) fn shard(item: &Item) -> u16 {
    u16::try_from(number(item, "shard")).unwrap_or_default()
}
