//! What the books must say, as data: the states of each resource, the event and the entry of each transition, and the
//! legs and the value date of each entry.

use crate::terms::expected_fee;

/// The place of an object before it exists.
pub(super) const NOWHERE: &str = "";
/// The place of an object that the processor returned after it was final: its status stays, `returned_at` says so.
pub(super) const RETURNED: &str = "returned";

/// A kind of object.
pub(super) struct Resource {
    /// Its name, which is also its sort key and the first part of its events' types.
    pub name: &'static str,
    /// Where the API shows one: before the id.
    pub path: &'static str,
    /// Every allowed transition.
    pub transitions: &'static [Transition],
    /// Whether its version moves without a transition too: a payment is touched by what takes from it.
    pub is_touched: bool,
    /// Places in which nothing is under way: an object leaves them only when somebody asks, or never.
    pub at_rest: &'static [&'static str],
    /// What it takes from the payment that it names.
    pub takes: Option<Takes>,
    /// What the sandbox processor counts when it is made to do it.
    pub done: Option<Done>,
}

/// One allowed transition, and what is written with it.
pub(super) struct Transition {
    pub from: &'static str,
    pub to: &'static str,
    /// Type of the event, without the resource.
    pub event: Option<&'static str>,
    /// Type of the entry.
    pub entry: Option<&'static str>,
    /// The capture method of the payments that it is for; the others' do not go this way.
    pub only: Option<&'static str>,
}

/// An amount of the payment: the sum over these objects that did not give it back.
pub(super) struct Takes {
    pub field: &'static str,
    pub given_back_in: &'static [&'static str],
}

/// The sandbox's counter: 1 in these places, else 0.
pub(super) struct Done {
    pub counter: &'static str,
    pub places: &'static [&'static str],
}

const fn step(
    from: &'static str, to: &'static str, event: Option<&'static str>, entry: Option<&'static str>,
) -> Transition {
    Transition { from, to, event, entry, only: None }
}

const fn only(capture_method: &'static str, transition: Transition) -> Transition {
    Transition { only: Some(capture_method), ..transition }
}

pub(super) const RESOURCES: &[Resource] = &[
    Resource {
        name: "payment",
        path: "/payments/",
        transitions: &[
            step(NOWHERE, "processing", None, None),
            only("automatic", step("processing", "succeeded", Some("succeeded"), Some("capture"))),
            only("manual", step("processing", "requires_capture", Some("requires_capture"), None)),
            step("processing", "failed", Some("failed"), None),
            step("requires_capture", "capturing", None, None),
            step("capturing", "succeeded", Some("succeeded"), Some("capture")),
            step("capturing", "failed", Some("failed"), None),
            step("requires_capture", "canceling", None, None),
            step("canceling", "canceled", Some("canceled"), None),
        ],
        is_touched: true,
        at_rest: &["succeeded", "failed", "requires_capture", "canceled"],
        takes: None,
        done: Some(Done { counter: "charges", places: &["succeeded"] }),
    },
    Resource {
        name: "refund",
        path: "/refunds/",
        transitions: &[
            step(NOWHERE, "pending", Some("created"), Some("refund")),
            step("pending", "succeeded", Some("succeeded"), Some("refund_sent")),
            step("pending", "failed", Some("failed"), Some("refund_failed")),
            step("succeeded", RETURNED, Some("returned"), Some("refund_returned")),
        ],
        is_touched: false,
        at_rest: &["succeeded", "failed", RETURNED],
        takes: Some(Takes { field: "amount_refunded", given_back_in: &["failed", RETURNED] }),
        done: Some(Done { counter: "refunds", places: &["succeeded", RETURNED] }),
    },
    Resource {
        name: "payout",
        path: "/payouts/",
        transitions: &[
            step(NOWHERE, "pending", Some("created"), Some("payout")),
            step("pending", "in_transit", Some("in_transit"), None),
            step("pending", "failed", Some("failed"), Some("payout_failed")),
            step("in_transit", "paid", Some("paid"), Some("payout_paid")),
            step("in_transit", "failed", Some("failed"), Some("payout_failed")),
            step("paid", RETURNED, Some("returned"), Some("payout_returned")),
        ],
        is_touched: false,
        at_rest: &["paid", "failed", RETURNED],
        takes: None,
        done: Some(Done { counter: "payouts", places: &["paid", RETURNED] }),
    },
    Resource {
        name: "dispute",
        path: "/disputes/",
        transitions: &[
            step(NOWHERE, "needs_response", Some("created"), Some("dispute")),
            step("needs_response", "under_review", Some("updated"), None),
            step("needs_response", "won", Some("won"), Some("dispute_won")),
            step("needs_response", "lost", Some("lost"), Some("dispute_lost")),
            step("under_review", "won", Some("won"), Some("dispute_won")),
            step("under_review", "lost", Some("lost"), Some("dispute_lost")),
        ],
        is_touched: false,
        at_rest: &["needs_response", "under_review", "won", "lost"],
        takes: Some(Takes { field: "amount_disputed", given_back_in: &["won"] }),
        // The processor opens and ends it.
        done: None,
    },
];

/// What a leg comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Whole,
    Fee,
    /// The whole without the fee.
    Net,
    /// The whole and the fee.
    Both,
}

/// Where the fee is known from.
pub(super) enum Fee {
    None,
    /// The merchant's terms, on the whole amount.
    Terms,
    /// The entry itself: the sum on this account.
    Posted(&'static str),
}

/// From when on the merchant's leg counts as available.
pub(super) enum ValueDate {
    /// The entry's day and the merchant's delay.
    Delayed,
    /// The later of the payment's value date and the entry's day.
    WithPayment,
    /// The entry's day.
    Today,
}

/// A type of entry.
pub(super) struct EntryType {
    pub name: &'static str,
    /// The object's field with the whole amount. None if no object of a merchant posts it: then the sum of the debits.
    pub whole: Option<&'static str>,
    pub fee: Fee,
    pub debits: &'static [(&'static str, Amount)],
    pub credits: &'static [(&'static str, Amount)],
    pub value_date: ValueDate,
    /// Whether the merchant's leg goes into the balance as a movement. A payout's debit is guarded: it changes the
    /// balance itself.
    pub moves: bool,
}

/// An entry without a fee: one account to another.
const fn plain(
    name: &'static str, debits: &'static [(&'static str, Amount)], credits: &'static [(&'static str, Amount)],
    value_date: ValueDate,
) -> EntryType {
    EntryType { name, whole: Some("amount"), fee: Fee::None, debits, credits, value_date, moves: true }
}

use Amount::{Both, Fee as TheFee, Net, Whole};
use ValueDate::{Today, WithPayment};

pub(super) const ENTRY_TYPES: &[EntryType] = &[
    EntryType {
        name: "capture",
        whole: Some("amount_captured"),
        fee: Fee::Terms,
        debits: &[("processor_receivable", Whole)],
        credits: &[("merchant", Net), ("fee_income", TheFee)],
        value_date: ValueDate::Delayed,
        moves: true,
    },
    plain("refund", &[("merchant", Whole)], &[("refunds_payable", Whole)], WithPayment),
    plain("refund_sent", &[("refunds_payable", Whole)], &[("processor_receivable", Whole)], Today),
    plain("refund_failed", &[("refunds_payable", Whole)], &[("merchant", Whole)], WithPayment),
    plain("refund_returned", &[("processor_receivable", Whole)], &[("merchant", Whole)], WithPayment),
    EntryType { moves: false, ..plain("payout", &[("merchant", Whole)], &[("payouts_in_transit", Whole)], Today) },
    plain("payout_paid", &[("payouts_in_transit", Whole)], &[("bank", Whole)], Today),
    plain("payout_failed", &[("payouts_in_transit", Whole)], &[("merchant", Whole)], Today),
    plain("payout_returned", &[("bank", Whole)], &[("merchant", Whole)], Today),
    EntryType {
        fee: Fee::Posted("dispute_fee_income"),
        ..plain(
            "dispute",
            &[("merchant", Both)],
            &[("disputes_held", Whole), ("dispute_fee_income", TheFee)],
            WithPayment,
        )
    },
    plain("dispute_won", &[("disputes_held", Whole)], &[("merchant", Whole)], WithPayment),
    plain("dispute_lost", &[("disputes_held", Whole)], &[("processor_receivable", Whole)], Today),
    EntryType {
        whole: None,
        fee: Fee::Posted("processor_costs"),
        ..plain("settlement", &[("bank", Net), ("processor_costs", TheFee)], &[("processor_receivable", Whole)], Today)
    },
];

/// A way by which an object can have come to its place: the events and the entries on it, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Walk {
    /// How many transitions it has.
    pub steps: i64,
    /// Whole types, as `payment.succeeded`.
    pub events: Vec<String>,
    pub entries: Vec<&'static str>,
}

impl Resource {
    pub fn named(name: &str) -> Option<&'static Resource> {
        RESOURCES.iter().find(|resource| resource.name == name)
    }

    /// Every way of such an object to `place`; none if it can't be there.
    pub fn walks(&self, place: &str, capture_method: &str) -> Vec<Walk> {
        if place == NOWHERE {
            return vec![Walk::default()];
        }
        let mut walks = Vec::new();
        let allowed = |transition: &&Transition| transition.only.is_none_or(|only| only == capture_method);
        for transition in self.transitions.iter().filter(|transition| transition.to == place).filter(allowed) {
            for mut walk in self.walks(transition.from, capture_method) {
                walk.steps += 1;
                walk.events.extend(transition.event.map(|event| format!("{}.{event}", self.name)));
                walk.entries.extend(transition.entry);
                walks.push(walk);
            }
        }
        walks
    }

    /// Whether an object of this version can have come this way.
    pub fn fits(&self, walk: &Walk, version: i64) -> bool {
        if self.is_touched { walk.steps <= version } else { walk.steps == version }
    }

    /// Whether nothing ever leaves `place`, unless the processor returns the money.
    pub fn ends_in(&self, place: &str) -> bool {
        !self.transitions.iter().any(|transition| transition.from == place && transition.to != RETURNED)
    }

    /// The places that the event of this type tells of.
    pub fn statuses_of(&self, event_type: &str) -> Vec<&'static str> {
        let event = event_type.strip_prefix(self.name).and_then(|rest| rest.strip_prefix('.'));
        let by = self.transitions.iter().filter(|transition| transition.event.is_some() && transition.event == event);
        by.map(|transition| transition.to).collect()
    }
}

impl EntryType {
    pub fn named(name: &str) -> Option<&'static EntryType> {
        ENTRY_TYPES.iter().find(|kind| kind.name == name)
    }

    /// The legs of an entry of this amount and fee, debits above zero, sorted; a leg of nothing is left out.
    pub fn legs(&self, whole: i64, fee: i64) -> Vec<(String, i64)> {
        let of = |amount| match amount {
            Amount::Whole => whole,
            Amount::Fee => fee,
            Amount::Net => whole - fee,
            Amount::Both => whole + fee,
        };
        let debits = self.debits.iter().map(|(account, amount)| (*account, of(*amount)));
        let credits = self.credits.iter().map(|(account, amount)| (*account, -of(*amount)));
        let some = debits.chain(credits).filter(|(_, amount)| *amount != 0);
        let mut legs: Vec<(String, i64)> = some.map(|(account, amount)| (account.to_owned(), amount)).collect();
        legs.sort();
        legs
    }

    /// The fee on this amount by the merchant's terms.
    pub fn fee_by_terms(&self, whole: i64) -> i64 {
        if matches!(self.fee, Fee::Terms) { expected_fee(whole) } else { 0 }
    }

    /// Whether entries of this type change a merchant's balance.
    pub fn is_the_merchants(&self) -> bool {
        self.debits.iter().chain(self.credits).any(|(account, _)| *account == "merchant")
    }
}
