//! The rules of the books as data: the states of each resource, the event and the entry of each transition, and the
//! postings and the value date of each entry.

use crate::terms::expected_fee;

/// State before the object exists.
pub(crate) const NOT_CREATED: &str = "";
/// State of a refund or payout that had succeeded and whose money came back: its status stays and `returned_at` is set.
/// Other states are statuses.
pub(crate) const RETURNED: &str = "returned";

/// A kind of object.
pub(crate) struct Resource {
    /// Its name: also its sort key and the first part of its event types.
    pub name: &'static str,
    /// The API's path before the id.
    pub path: &'static str,
    /// Allowed transitions.
    pub transitions: &'static [Transition],
    /// Whether its version also rises without a transition: refunds and disputes change amounts of the payment.
    pub is_adjusted: bool,
    /// States without unfinished work.
    pub at_rest: &'static [&'static str],
    /// The payment's field that sums the amounts of these objects. None if there is no such field.
    pub amount_of_payment: Option<AmountOfPayment>,
    /// What the sandbox counts for its operation.
    pub done: Option<Done>,
}

/// An allowed transition, and what is written with it.
pub(crate) struct Transition {
    pub from: &'static str,
    pub to: &'static str,
    /// Type of the event, without the resource.
    pub event: Option<&'static str>,
    /// Type of the entry.
    pub entry: Option<&'static str>,
    /// Capture method of the payments with this transition.
    pub only: Option<&'static str>,
}

/// The payment's field that sums the amounts of these objects (for example `amount_refunded`). Objects in the states
/// `given_back_in` do not count.
pub(crate) struct AmountOfPayment {
    pub field: &'static str,
    pub given_back_in: &'static [&'static str],
}

/// A counter of the sandbox: 1 in these states, else 0.
pub(crate) struct Done {
    pub counter: &'static str,
    pub states: &'static [&'static str],
}

const fn step(
    from: &'static str, to: &'static str, event: Option<&'static str>, entry: Option<&'static str>,
) -> Transition {
    Transition { from, to, event, entry, only: None }
}

const fn only(capture_method: &'static str, transition: Transition) -> Transition {
    Transition { only: Some(capture_method), ..transition }
}

pub(crate) const RESOURCES: &[Resource] = &[
    Resource {
        name: "payment",
        path: "/payments/",
        transitions: &[
            step(NOT_CREATED, "processing", None, None),
            only("automatic", step("processing", "succeeded", Some("succeeded"), Some("capture"))),
            only("manual", step("processing", "requires_capture", Some("requires_capture"), None)),
            step("processing", "failed", Some("failed"), None),
            step("requires_capture", "capturing", None, None),
            step("capturing", "succeeded", Some("succeeded"), Some("capture")),
            step("capturing", "failed", Some("failed"), None),
            step("requires_capture", "canceling", None, None),
            step("canceling", "canceled", Some("canceled"), None),
        ],
        is_adjusted: true,
        at_rest: &["succeeded", "failed", "requires_capture", "canceled"],
        amount_of_payment: None,
        done: Some(Done { counter: "charges", states: &["succeeded"] }),
    },
    Resource {
        name: "refund",
        path: "/refunds/",
        transitions: &[
            step(NOT_CREATED, "pending", Some("created"), Some("refund")),
            step("pending", "succeeded", Some("succeeded"), Some("refund_sent")),
            step("pending", "failed", Some("failed"), Some("refund_failed")),
            step("succeeded", RETURNED, Some("returned"), Some("refund_returned")),
        ],
        is_adjusted: false,
        at_rest: &["succeeded", "failed", RETURNED],
        amount_of_payment: Some(AmountOfPayment { field: "amount_refunded", given_back_in: &["failed", RETURNED] }),
        done: Some(Done { counter: "refunds", states: &["succeeded", RETURNED] }),
    },
    Resource {
        name: "payout",
        path: "/payouts/",
        transitions: &[
            step(NOT_CREATED, "pending", Some("created"), Some("payout")),
            step("pending", "in_transit", Some("in_transit"), None),
            step("pending", "failed", Some("failed"), Some("payout_failed")),
            step("in_transit", "paid", Some("paid"), Some("payout_paid")),
            step("in_transit", "failed", Some("failed"), Some("payout_failed")),
            step("paid", RETURNED, Some("returned"), Some("payout_returned")),
        ],
        is_adjusted: false,
        at_rest: &["paid", "failed", RETURNED],
        amount_of_payment: None,
        done: Some(Done { counter: "payouts", states: &["paid", RETURNED] }),
    },
    Resource {
        name: "dispute",
        path: "/disputes/",
        transitions: &[
            step(NOT_CREATED, "needs_response", Some("created"), Some("dispute")),
            step("needs_response", "under_review", Some("updated"), None),
            step("needs_response", "won", Some("won"), Some("dispute_won")),
            step("needs_response", "lost", Some("lost"), Some("dispute_lost")),
            step("under_review", "won", Some("won"), Some("dispute_won")),
            step("under_review", "lost", Some("lost"), Some("dispute_lost")),
        ],
        is_adjusted: false,
        at_rest: &["needs_response", "under_review", "won", "lost"],
        amount_of_payment: Some(AmountOfPayment { field: "amount_disputed", given_back_in: &["won"] }),
        // The processor opens and ends it.
        done: None,
    },
];

/// Amount of a posting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Amount {
    Whole,
    Fee,
    /// The whole amount less the fee.
    Net,
    /// The whole amount plus the fee.
    Both,
}

/// Source of the fee.
pub(crate) enum Fee {
    None,
    /// The merchant's terms, on the whole amount.
    Terms,
    /// The entry itself: the sum on this account.
    Posted(&'static str),
}

/// Value date of the merchant's posting.
pub(crate) enum ValueDate {
    /// The entry's day plus the merchant's delay.
    Delayed,
    /// The later of the payment's value date and the entry's day.
    WithPayment,
    /// The entry's day.
    Today,
}

/// A type of entry.
pub(crate) struct EntryType {
    pub name: &'static str,
    /// The object's field with the whole amount. None: the entry belongs to no object of a merchant, and the whole amount
    /// is the sum of its debits.
    pub whole: Option<&'static str>,
    pub fee: Fee,
    pub debits: &'static [(&'static str, Amount)],
    pub credits: &'static [(&'static str, Amount)],
    pub value_date: ValueDate,
    /// False if the merchant's posting is no movement: a payout's guarded debit changes the balance itself. True for
    /// all other entries. An entry without a merchant's posting has no movement.
    pub moves: bool,
}

/// An entry without a fee, from one account to another.
const fn plain(
    name: &'static str, debits: &'static [(&'static str, Amount)], credits: &'static [(&'static str, Amount)],
    value_date: ValueDate,
) -> EntryType {
    EntryType { name, whole: Some("amount"), fee: Fee::None, debits, credits, value_date, moves: true }
}

use Amount::{Both, Fee as TheFee, Net, Whole};
use ValueDate::{Today, WithPayment};

pub(crate) const ENTRY_TYPES: &[EntryType] = &[
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

/// A path of transitions to a state, with its events and entries in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// Number of transitions.
    pub steps: i64,
    /// Full types, as `payment.succeeded`.
    pub events: Vec<String>,
    pub entries: Vec<&'static str>,
}

impl Resource {
    pub fn named(name: &str) -> Option<&'static Resource> {
        RESOURCES.iter().find(|resource| resource.name == name)
    }

    /// Every path of such an object to `state`. Empty if it can't have this state.
    pub fn histories(&self, state: &str, capture_method: &str) -> Vec<History> {
        if state == NOT_CREATED {
            return vec![History::default()];
        }
        let mut histories = Vec::new();
        let allowed = |transition: &&Transition| transition.only.is_none_or(|only| only == capture_method);
        for transition in self.transitions.iter().filter(|transition| transition.to == state).filter(allowed) {
            for mut history in self.histories(transition.from, capture_method) {
                history.steps += 1;
                history.events.extend(transition.event.map(|event| format!("{}.{event}", self.name)));
                history.entries.extend(transition.entry);
                histories.push(history);
            }
        }
        histories
    }

    /// Whether an object of this version can have this history.
    pub fn fits(&self, history: &History, version: i64) -> bool {
        if self.is_adjusted { history.steps <= version } else { history.steps == version }
    }

    /// Whether `state` is final, except for returns by the processor.
    pub fn ends_in(&self, state: &str) -> bool {
        !self.transitions.iter().any(|transition| transition.from == state && transition.to != RETURNED)
    }

    /// The statuses that an event of this type reports.
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

    /// The postings of an entry of this amount and fee, debits above zero, sorted, without zero postings.
    pub fn postings(&self, whole: i64, fee: i64) -> Vec<(String, i64)> {
        let of = |amount| match amount {
            Amount::Whole => whole,
            Amount::Fee => fee,
            Amount::Net => whole - fee,
            Amount::Both => whole + fee,
        };
        let debits = self.debits.iter().map(|(account, amount)| (*account, of(*amount)));
        let credits = self.credits.iter().map(|(account, amount)| (*account, -of(*amount)));
        let some = debits.chain(credits).filter(|(_, amount)| *amount != 0);
        let mut postings: Vec<(String, i64)> = some.map(|(account, amount)| (account.to_owned(), amount)).collect();
        postings.sort();
        postings
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
