//! Ids: a prefix that names the kind, `_`, and 26 characters of Crockford's base32 in lower case (130 bits).
//!
//! There are two forms of the same length. A *derived* id is the head of a hash, so that the same request always names
//! the same object. An *ordered* id (`txn_`, `evt_`) consists of time, shard and a hash. It sorts by time and names its
//! shard, so that its item is found without an index.

use std::fmt;
use std::hash::Hash;
use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::text::serde_as_text;
use crate::time::Timestamp;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;
const TIME_LENGTH: usize = 10;
const SHARD_LENGTH: usize = 2;

/// The largest number of shards. A reader queries every shard, also in a function that has just started: reads were
/// measured up to this number (docs/performance.md). An ordered id has two base32 digits for the shard, enough for 1,024.
pub const SHARDS_MAX: u16 = 256;

/// A kind of id.
pub trait Kind {
    /// The beginning of every id of this kind, with the `_`.
    const PREFIX: &'static str;
}

/// Declares a kind of id and the name of its id type.
macro_rules! kinds {
    ($($kind:ident $id:ident $prefix:literal $doc:literal;)*) => {$(
        #[doc = concat!("The kind of ", $doc, ".")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = concat!($prefix, "_");
        }
        #[doc = concat!("The id of ", $doc, ": `", $prefix, "_…`.")]
        pub type $id = Id<$kind>;
    )*
        /// Whether the text has the form of an id of any kind.
        pub fn is_id(text: &str) -> bool {
            $($id::parse(text).is_ok())||*
        }
    };
}

kinds! {
    MerchantKind MerchantId "mer" "a merchant";
    KeyKind ApiKeyId "key" "an API key (not the key itself)";
    PaymentKind PaymentId "pay" "a payment";
    RefundKind RefundId "re" "a refund";
    EntryKind EntryId "txn" "a journal entry, and of its movement";
    EventKind EventId "evt" "an event";
    EndpointKind EndpointId "we" "a webhook endpoint";
    PayerKind PayerId "payer" "a card or a customer, derived from its token or name";
}

/// An id of one kind. Every value is well-formed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K>(String, PhantomData<fn() -> K>);

/// The text is not an id of the requested kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind")]
pub struct InvalidId;

impl<K: Kind> Id<K> {
    fn new(tail: &str) -> Id<K> {
        Id(format!("{}{tail}", K::PREFIX), PhantomData)
    }

    /// The id derived from these parts. The same parts always give the same id. Each part is hashed with its length, so
    /// that two different lists of parts never give the same bytes.
    pub fn derive(parts: &[&str]) -> Id<K> {
        Id::new(&base32(&hash(parts), LENGTH))
    }

    /// An id that sorts by `time` and names its `shard`, which is below [`SHARDS_MAX`]. The hash of `parts`
    /// distinguishes ids of the same millisecond and shard.
    pub fn ordered(time: Timestamp, shard: u16, parts: &[&str]) -> Id<K> {
        let time = u64::try_from(time.millis()).unwrap_or_default();
        let head = digits(time, TIME_LENGTH) + &digits(shard.into(), SHARD_LENGTH);
        Id::new(&(head + &base32(&hash(parts), LENGTH - TIME_LENGTH - SHARD_LENGTH)))
    }

    /// A text that sorts before every ordered id of `time` and after every earlier one. It is not an id.
    pub fn first_at(time: Timestamp) -> String {
        format!("{}{}", K::PREFIX, digits(u64::try_from(time.millis()).unwrap_or_default(), TIME_LENGTH))
    }

    /// Parses an id. Errors if the prefix or the form is wrong.
    pub fn parse(text: &str) -> Result<Id<K>, InvalidId> {
        let tail = text.strip_prefix(K::PREFIX).ok_or(InvalidId)?;
        if is_tail(tail) { Ok(Id(text.to_owned(), PhantomData)) } else { Err(InvalidId) }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shard that an ordered id names. Meaningless for a derived id.
    pub fn shard(&self) -> u16 {
        u16::try_from(self.number(TIME_LENGTH, SHARD_LENGTH)).unwrap_or_default()
    }

    /// The time of an ordered id. Meaningless for a derived id.
    pub fn time(&self) -> Timestamp {
        Timestamp::from_millis(self.number(0, TIME_LENGTH))
    }

    /// The number that `length` digits write, from the digit `from` behind the prefix.
    fn number(&self, from: usize, length: usize) -> i64 {
        self.0.bytes().skip(K::PREFIX.len() + from).take(length).fold(0, |number, byte| {
            let digit = ALPHABET.iter().position(|known| *known == byte).unwrap_or_default();
            number * 32 + i64::try_from(digit).unwrap_or_default()
        })
    }
}

/// The shard of a text, from 0 to `count` − 1: always the same for the same text. A `count` of 0 counts as 1.
pub fn shard_of(text: &str, count: u16) -> u16 {
    let hash = hash(&[text]);
    u16::try_from(u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % u32::from(count.max(1)))
        .unwrap_or_default()
}

/// SHA-256 over the parts. Each part is preceded by its length.
pub fn hash(parts: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().into()
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first `length` base32 digits of `bytes`.
pub(crate) fn base32(bytes: &[u8], length: usize) -> String {
    let bit = |index: usize| bytes.get(index / 8).is_some_and(|byte| byte >> (7 - index % 8) & 1 == 1);
    (0..length)
        .map(|digit| (0..5).fold(0, |value, offset| value * 2 + usize::from(bit(digit * 5 + offset))))
        .map(|value| char::from(ALPHABET[value]))
        .collect()
}

/// `value` as exactly `length` base32 digits, the most significant first.
fn digits(value: u64, length: usize) -> String {
    (0..length)
        .rev()
        .map(|place| value.checked_shr(u32::try_from(place * 5).unwrap_or(u32::MAX)).unwrap_or_default() % 32)
        .map(|digit| char::from(ALPHABET[usize::try_from(digit).unwrap_or_default()]))
        .collect()
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Id<K>, D::Error> {
        let text = String::deserialize(deserializer)?;
        Id::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// The id of an object of any kind. The kind may be unknown to this version of the code, because items that a newer
/// version wrote must be readable.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectId(String);

impl ObjectId {
    /// Parses an id of any kind. Errors if the form is wrong.
    pub fn parse(text: &str) -> Result<ObjectId, InvalidId> {
        let (prefix, tail) = text.split_once('_').ok_or(InvalidId)?;
        let is_prefix = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_lowercase());
        if is_prefix && is_tail(tail) { Ok(ObjectId(text.to_owned())) } else { Err(InvalidId) }
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<K> From<Id<K>> for ObjectId {
    fn from(id: Id<K>) -> ObjectId {
        ObjectId(id.0)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(ObjectId);

/// Whether the text has the form of the part after an id's prefix.
fn is_tail(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_and_debug_show_the_text() {
        let id = PaymentId::derive(&["a"]);
        let text = "pay_7ccpzn4gffpza71gj3mr6qsffj";
        assert_eq!([id.to_string(), format!("{id:?}"), ObjectId::from(id).to_string()], [text; 3]);
    }

    #[test]
    fn an_object_id_may_have_any_kind() {
        let tail = "7ccpzn4gffpza71gj3mr6qsffj";
        for right in [format!("pay_{tail}"), format!("tol_{tail}")] {
            assert_eq!(ObjectId::parse(&right).map(|id| id.as_str().to_owned()), Ok(right));
        }
        for wrong in [tail.to_owned(), format!("_{tail}"), format!("P_{tail}"), "pay_x".to_owned()] {
            assert_eq!(ObjectId::parse(&wrong), Err(InvalidId), "{wrong}");
        }
    }

    #[test]
    fn a_derived_id_is_the_head_of_the_hash_in_base32() {
        // The first 130 bits of printf '\0\0\0\0\0\0\0\001a' | sha256sum, five at a time.
        assert_eq!(PaymentId::derive(&["a"]).as_str(), "pay_7ccpzn4gffpza71gj3mr6qsffj");
    }

    #[test]
    fn different_lists_of_parts_give_different_ids() {
        assert_ne!(PaymentId::derive(&["ab", "c"]), PaymentId::derive(&["a", "bc"]));
        assert_ne!(PaymentId::derive(&["ab"]), PaymentId::derive(&["ab", ""]));
    }

    #[test]
    fn base32_is_crockfords() {
        assert_eq!(base32(&[0x00, 0x7e, 0xa0], 4), "01za");
        assert_eq!(digits(32 * 31 + 10, 3), "0za");
    }

    #[test]
    fn an_ordered_id_sorts_by_time_and_names_time_and_shard() {
        let early = EntryId::ordered(Timestamp::from_millis(1_000_000_000_000), 1023, &["z"]);
        let late = EntryId::ordered(Timestamp::from_millis(1_000_000_000_001), 0, &["a"]);
        assert!(early < late);
        assert_eq!((early.shard(), late.shard()), (1023, 0));
        assert_eq!([&early, &late].map(|id| id.time().millis()), [1_000_000_000_000, 1_000_000_000_001]);
        assert_eq!(EntryId::parse(early.as_str()), Ok(early));
    }

    #[test]
    fn first_at_sorts_between_earlier_and_later_ids() {
        let at = Timestamp::from_millis(1_000_000_000_001);
        let first = EntryId::first_at(at);
        // 1 000 000 000 001 in base 32: 29, 3, 10, 10, 10, 4, 0, 1.
        assert_eq!(first, "txn_00x3aaa401");
        assert!(EntryId::ordered(at, 0, &["a"]).as_str() > first.as_str());
        assert!(EntryId::ordered(at.plus_millis(-1), 1023, &["z"]).as_str() < first.as_str());
        // Nothing was stored before 1970, so all earlier times sort before the first id.
        for early in [-1, i64::MIN] {
            assert_eq!(EntryId::first_at(Timestamp::from_millis(early)), "txn_0000000000", "{early}");
        }
        // The end of the year 9999, 253 402 300 799 999: 7, 6, 14, 31, 9, 1, 31, 22, 31, 31.
        assert_eq!(EntryId::first_at(Timestamp::from_millis(i64::MAX)), "txn_76ez91zpzz");
    }

    #[test]
    fn malformed_ids_and_ids_of_another_kind_are_refused() {
        let id = PaymentId::derive(&["a"]).to_string();
        for wrong in
            ["", "pay_", "pay", &id[1..], &id[..29], &id.to_uppercase(), &id.replace("pay_", "evt_"), "pay_../../x"]
        {
            assert_eq!(PaymentId::parse(wrong), Err(InvalidId), "{wrong}");
        }
    }

    #[test]
    fn is_id_accepts_every_kind_and_no_other_text() {
        let id = PaymentId::derive(&["a"]).to_string();
        for prefix in ["mer_", "key_", "pay_", "txn_", "evt_", "we_"] {
            assert!(is_id(&id.replace("pay_", prefix)), "{prefix}");
        }
        for wrong in ["", "calm", "jane.roe@example.com", &id[4..], &id.replace("pay_", "sk_test_")] {
            assert!(!is_id(wrong), "{wrong}");
        }
    }

    #[test]
    fn texts_are_spread_evenly_over_the_shards() {
        let mut counts = [0; 4];
        for number in 0..4000 {
            counts[usize::from(shard_of(&number.to_string(), 4))] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
        assert_eq!(shard_of("anything", 0), 0);
    }
}
