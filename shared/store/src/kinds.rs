//! The kinds of items that may need work. The list `WORK` has for each kind: the pattern of its key, the queue of its
//! messages, the stream changes that bring a message, and its due group. Messages, the stream's filter, the sweep and
//! the log are derived from it.

use serde::{Deserialize, Serialize};
use spillway_domain::currency::Currency;
use spillway_domain::id::{EndpointKind, EventKind, Kind as _, PaymentKind, RefundKind};
use spillway_domain::payment::Payment;
use spillway_domain::refund::Refund;
use spillway_domain::resource::Resource;
use spillway_domain::tenant::Tenant;

use self::Name::{Both, ModeAndCurrency, Partition, Sort};
use self::Pattern::{Begins, Is};
use self::QueueName::{Folds, Processor, Webhooks};
use super::due::DueGroup::{self, Deliveries, Events, Money};
use super::keys::{self, TableKey};

/// A kind of item that may need work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkKind {
    /// A payment.
    Payment,
    /// A refund.
    Refund,
    /// One part of a balance.
    Balance,
    /// An event.
    Event,
    /// The delivery of an event to an endpoint.
    Delivery,
    /// A webhook endpoint.
    WebhookEndpoint,
}

/// The queue to which a kind's messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueueName {
    /// Work at a card processor.
    Processor,
    /// Folding movements into balances.
    Folds,
    /// Delivering events.
    Webhooks,
}

impl QueueName {
    /// All queues.
    pub const ALL: [QueueName; 3] = [QueueName::Processor, QueueName::Folds, QueueName::Webhooks];

    /// The environment variable with the queue's URL.
    pub fn variable(self) -> &'static str {
        match self {
            QueueName::Processor => "PROCESSOR_QUEUE_URL",
            QueueName::Folds => "FOLDS_QUEUE_URL",
            QueueName::Webhooks => "WEBHOOKS_QUEUE_URL",
        }
    }
}

/// A pattern of a part of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Exactly this text.
    Is(&'static str),
    /// Any text that begins with this prefix.
    Begins(&'static str),
    /// A currency's code.
    Currency,
}

impl Pattern {
    fn matches(self, text: &str) -> bool {
        match self {
            Is(this) => text == this,
            Begins(prefix) => text.starts_with(prefix),
            Pattern::Currency => Currency::parse(text).is_ok(),
        }
    }
}

/// The form in which the log names an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// The id in its partition key.
    Partition,
    /// The id that is its sort key.
    Sort,
    /// Both ids.
    Both,
    /// Its mode, and the currency that is its sort key.
    ModeAndCurrency,
}

/// An entry of the list `WORK`: the work for items whose keys match two patterns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) kind: WorkKind,
    /// The pattern of the partition key, between the tenant and the optional shard.
    pub(super) partition: Pattern,
    sort: Pattern,
    pub(super) name: Name,
    pub(super) queue: QueueName,
    /// Whether a new item brings a message.
    inserted: bool,
    /// Whether an item brings a message when its counter `wake` changes.
    woken: bool,
    /// The due group of unfinished items. None if such items are never due.
    due: Option<DueGroup>,
}

/// All kinds of work. The first matching entry counts.
const WORK: &[Work] = &[
    // kind, partition key, sort key, name in the log, queue, whether (a new item, a wake) brings a message, due times
    row(
        WorkKind::Payment,
        Begins(PaymentKind::PREFIX),
        Is(Payment::NAME),
        Partition,
        Processor,
        (true, true),
        Some(Money),
    ),
    row(
        WorkKind::Refund,
        Begins(RefundKind::PREFIX),
        Is(Refund::NAME),
        Partition,
        Processor,
        (true, true),
        Some(Money),
    ),
    row(
        WorkKind::Balance,
        Is(keys::MOVEMENTS),
        Begins(keys::MOVEMENT_PREFIX),
        ModeAndCurrency,
        Folds,
        (true, false),
        None,
    ),
    row(WorkKind::Balance, Is(keys::BALANCES), Pattern::Currency, ModeAndCurrency, Folds, (false, false), Some(Money)),
    row(WorkKind::Event, Is(keys::EVENTS), Begins(EventKind::PREFIX), Sort, Webhooks, (true, false), Some(Events)),
    row(
        WorkKind::Delivery,
        Begins(EventKind::PREFIX),
        Begins(EndpointKind::PREFIX),
        Both,
        Webhooks,
        (false, true),
        Some(Deliveries),
    ),
    row(
        WorkKind::WebhookEndpoint,
        Is(keys::WEBHOOKS),
        Begins(EndpointKind::PREFIX),
        Sort,
        Webhooks,
        (false, true),
        None,
    ),
];

const fn row(
    kind: WorkKind, partition: Pattern, sort: Pattern, name: Name, queue: QueueName, (inserted, woken): (bool, bool),
    due: Option<DueGroup>,
) -> Work {
    Work { kind, partition, sort, name, queue, inserted, woken, due }
}

/// Whether a stream record of this item brings a message. `inserted`: the item is new. `woken`: its counter `wake`
/// changed.
pub fn brings_message(key: &TableKey, inserted: bool, woken: bool) -> bool {
    known(key).is_some_and(|(_, work)| inserted && work.inserted || woken && work.woken)
}

/// The due group of an item with this key. None if such an item is never due.
pub(super) fn due_group(key: &TableKey) -> Option<DueGroup> {
    known(key).and_then(|(_, work)| work.due)
}

/// The filters of the table's stream in Lambda's format: one for new items and one for items with a counter `wake`.
pub fn stream_filters() -> [serde_json::Value; 2] {
    let mut sorts: Vec<serde_json::Value> = Vec::new();
    for work in WORK.iter().filter(|work| work.inserted) {
        let sort = match work.sort {
            Is(this) => serde_json::json!(this),
            Begins(prefix) => serde_json::json!({"prefix": prefix}),
            Pattern::Currency => continue,
        };
        sorts.push(sort);
    }
    [
        serde_json::json!({"eventName": ["INSERT"], "dynamodb": {"Keys": {"sk": {"S": sorts}}}}),
        serde_json::json!({"eventName": ["INSERT", "MODIFY"],
            "dynamodb": {"NewImage": {"wake": {"N": [{"exists": true}]}}}}),
    ]
}

/// A parsed partition key of a tenant's item: `mer_…#test#partition`, or `mer_…#test#partition#shard`.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) tenant: Tenant,
    pub(super) partition: String,
    /// 0 if the key has no shard.
    pub(super) shard: u16,
}

impl Parsed {
    pub(super) fn of(pk: &str) -> Option<Parsed> {
        let mut parts = pk.split('#');
        let tenant = Tenant::parse(&format!("{}#{}", parts.next()?, parts.next()?))?;
        let partition = parts.next()?.to_owned();
        let shard = parts.next().map_or(Some(0), |shard| shard.parse().ok())?;
        parts.next().is_none().then_some(Parsed { tenant, partition, shard })
    }
}

/// The parsed partition key and the entry of `WORK` for a key. None if no work is known for it.
pub(super) fn known(key: &TableKey) -> Option<(Parsed, &'static Work)> {
    let parsed = Parsed::of(&key.pk)?;
    let work = WORK.iter().find(|work| work.partition.matches(&parsed.partition) && work.sort.matches(&key.sk))?;
    Some((parsed, work))
}

#[cfg(test)]
mod tests {
    use spillway_domain::id::{EndpointId, EntryId, EventId, MerchantId, PaymentId, RefundId};
    use spillway_domain::ledger::MovementKey;
    use spillway_domain::tenant::Mode;
    use spillway_domain::time::{Day, Timestamp};

    use super::super::WorkItem;
    use super::*;

    fn tenant() -> Tenant {
        Tenant { merchant: MerchantId::derive(&["m"]), mode: Mode::Test }
    }

    fn usd() -> Currency {
        Currency::parse("USD").unwrap()
    }

    fn movement(shard: u16) -> TableKey {
        let entry = EntryId::ordered(Timestamp::from_millis(1), shard, &["x"]);
        let value_date = Day::parse("2026-02-02").unwrap();
        keys::movement(&tenant(), &MovementKey { currency: usd(), value_date, entry })
    }

    /// One key for each entry of `WORK`, with its kind and the item's names in the log.
    fn samples() -> Vec<(TableKey, WorkKind, Vec<String>)> {
        let tenant = tenant();
        let (pay, re) = (PaymentId::derive(&["p"]), RefundId::derive(&["r"]));
        let (evt, we) = (EventId::derive(&["e"]), EndpointId::derive(&["w"]));
        vec![
            (keys::resource::<Payment>(&tenant, &pay), WorkKind::Payment, vec![pay.to_string()]),
            (keys::balance(&tenant, usd(), 2), WorkKind::Balance, vec!["test USD".to_owned()]),
            (movement(7), WorkKind::Balance, vec!["test USD".to_owned()]),
            (keys::event(&tenant, &evt), WorkKind::Event, vec![evt.to_string()]),
            (keys::delivery(&tenant, &evt, &we), WorkKind::Delivery, vec![evt.to_string(), we.to_string()]),
            (keys::webhook_endpoint(&tenant, &we), WorkKind::WebhookEndpoint, vec![we.to_string()]),
            (keys::resource::<Refund>(&tenant, &re), WorkKind::Refund, vec![re.to_string()]),
        ]
    }

    #[test]
    fn kind_tenant_and_names_follow_from_the_key() {
        for (key, kind, names) in samples() {
            let item = WorkItem::of(&key).unwrap();
            assert_eq!((item.kind, item.tenant(), item.names()), (kind, &tenant(), names), "{key:?}");
        }
    }

    #[test]
    fn a_movement_names_its_part_of_the_balance() {
        for (shard, part) in [(0, 0), (3, 0), (4, 1), (7, 1), (1023, 255)] {
            let item = WorkItem::of(&movement(shard)).unwrap();
            assert_eq!(item.key(), &keys::balance(&tenant(), usd(), part));
            assert_eq!(item.balance(), Some((usd(), part)));
        }
    }

    #[test]
    fn no_work_is_known_for_other_keys() {
        let tenant = tenant();
        let merchant_id = MerchantId::derive(&["m"]);
        let other = |pk: String, sk: &str| TableKey { pk, sk: sk.to_owned() };
        for key in [
            keys::merchant(&merchant_id),
            keys::api_key("00"),
            keys::api_key_id(&merchant_id, "key_1"),
            other(keys::operator_actions(&merchant_id), "2026-01-31T12:00:00.000Z#r"),
            keys::webhook_endpoint_count(&tenant),
            keys::journal_entry(&tenant, &EntryId::derive(&["t"])),
            keys::sandbox_call("pay_1", "authorize"),
            other("junk".to_owned(), "payment"),
            other("mer_bad#test#pay_bad".to_owned(), "payment"),
            other(format!("{tenant}#pay_bad"), "payment"),
            other(format!("{tenant}#movements#0"), "move#USD#junk"),
            other(format!("{tenant}#events#x"), EventId::derive(&["e"]).as_str()),
        ] {
            assert_eq!(WorkItem::of(&key), None, "{key:?}");
        }
    }

    #[test]
    fn a_message_survives_writing_and_reading() {
        for (key, _, _) in samples() {
            let item = WorkItem::of(&key).unwrap();
            let text = serde_json::to_string(&item).unwrap();
            assert_eq!(serde_json::from_str::<WorkItem>(&text).unwrap(), item, "{text}");
        }
        let page = WorkItem::of(&samples()[5].0).unwrap().after(Some(EventId::derive(&["e"])));
        assert_eq!(serde_json::from_str::<WorkItem>(&serde_json::to_string(&page).unwrap()).unwrap(), page);
        let payment = WorkItem::of(&samples()[0].0).unwrap();
        let expected =
            format!(r#"{{"kind":"payment","pk":"{}#{}","sk":"payment"}}"#, tenant(), PaymentId::derive(&["p"]));
        assert_eq!(serde_json::to_string(&payment).unwrap(), expected);
    }

    #[test]
    fn inserted_and_woken_items_bring_messages() {
        let woken = |inserted, woken| {
            samples().into_iter().map(|(key, ..)| brings_message(&key, inserted, woken)).collect::<Vec<_>>()
        };
        //                            payment, balance, movement, event, delivery, endpoint, refund
        assert_eq!(woken(true, false), [true, false, true, true, false, false, true]);
        assert_eq!(woken(false, true), [true, false, false, false, true, true, true]);
        assert_eq!(woken(false, false), [false; 7]);
    }

    #[test]
    fn the_templates_stream_filters_match_the_list() {
        let template = spillway_tests::Template::read();
        let patterns = template.events().into_iter().filter(|(_, kind, _)| *kind == "DynamoDB");
        let patterns = patterns.flat_map(|(_, _, event)| event["FilterCriteria"]["Filters"].as_array().unwrap());
        let patterns = patterns.map(|filter| serde_json::from_str(filter["Pattern"].as_str().unwrap()).unwrap());
        let patterns: Vec<serde_json::Value> = patterns.collect();
        assert_eq!(patterns, stream_filters());
    }

    #[test]
    fn each_kind_is_due_in_its_own_space() {
        let groups: Vec<_> = samples().into_iter().map(|(key, ..)| due_group(&key)).collect();
        let (money, events, deliveries) = (DueGroup::Money, DueGroup::Events, DueGroup::Deliveries);
        assert_eq!(groups, [Some(money), Some(money), None, Some(events), Some(deliveries), None, Some(money)]);
    }
}
