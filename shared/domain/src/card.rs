//! Finds card numbers in a text, because Spillway must never store one.
//!
//! A card number has an issuer's prefix, a length that this issuer uses, and a correct Luhn digit. 2.7 % of random
//! 16-digit numbers have all three, and 10 % of those that begin with an issuer's prefix. A reference made of a date of
//! 2023 to 2027 (YYMMDD) and ten digits does begin with one: Mastercard's are 2221 to 2720. The digits alone do not
//! distinguish such a number from a card number, but its surroundings may: a number that touches a letter is not a card
//! number.

mod groups;
mod iban;
#[cfg(test)]
mod tests;

use groups::{Gap, Group};

const LENGTH_MIN: usize = 12;
const LENGTH_MAX: usize = 19;
/// The most groups that a card number is written in.
const GROUPS_MAX: usize = 5;

/// Whether a part of `text` is a card number as people write it: in one piece or in the groups of its card, in digits
/// of any script, with any number of spaces, dashes, dots, slashes or underscores of any kind between the groups. An
/// expiry and a security code may follow.
///
/// Digits that touch a letter are not a card number. Neither is a part of a longer number or of an IBAN.
pub fn holds_card_number(text: &str) -> bool {
    if text.chars().filter_map(groups::digit).nth(LENGTH_MIN - 1).is_none() {
        return false;
    }
    let groups = groups::of(text);
    let mut at = 0;
    while let Some((before, from @ [_, ..])) = groups.split_at_checked(at) {
        if starts_card_number(before, from) {
            return true;
        }
        at += iban::groups_at_start(from).max(1);
    }
    false
}

/// Whether the groups `from` begin with a card number. `before`: the groups in front of them.
fn starts_card_number(before: &[Group], from: &[Group]) -> bool {
    let Some(first) = from.first().filter(|first| first.is_number()) else { return false };
    if first.gap == Gap::Joined && before.last().is_some_and(Group::has_digits) {
        return false;
    }
    (1..=GROUPS_MAX).any(|count| {
        let Some((candidate, behind)) = from.split_at_checked(count) else { return false };
        is_written_as_card(candidate)
            && !continues_fours(before, candidate)
            && ends_before(behind)
            && is_card_number(&candidate.iter().map(|group| group.text.as_str()).collect::<String>())
    })
}

/// Whether a card number is written in groups of these lengths.
fn is_written_as_card(groups: &[Group]) -> bool {
    let together = groups.iter().all(Group::is_number) && groups.iter().skip(1).all(|group| group.gap != Gap::Apart);
    let lengths: Vec<usize> = groups.iter().map(|group| group.text.len()).collect();
    together
        && matches!(
            lengths[..],
            [LENGTH_MIN..=LENGTH_MAX]
                | [4, 6, 4 | 5]
                | [4, 3, 3, 3]
                | [6, 13]
                | [4, 4, 4]
                | [4, 4, 4, 1..=4]
                | [4, 4, 4, 4, 1..=3]
        )
}

/// Whether the candidate continues a longer number in groups of four. A single group of four before it does not count:
/// it may be another number.
fn continues_fours(before: &[Group], candidate: &[Group]) -> bool {
    let ([.., second_last, last], [first, second, ..]) = (before, candidate) else { return false };
    [last, first, second].iter().all(|group| group.gap == Gap::Spaced)
        && [second_last, last].iter().all(|group| group.is_number() && group.text.len() == 4)
}

/// Whether the number ends in front of the groups `behind`. Of these, only an expiry (12/27, 12/2027, 1227, 122027) and a
/// security code may be joined to it.
fn ends_before(behind: &[Group]) -> bool {
    let joined = behind.iter().take_while(|group| group.gap == Gap::Joined && group.has_digits());
    let joined: Vec<&Group> = joined.collect();
    let is_month = |text: &str| text.len() <= 2 && text.parse().is_ok_and(|month: u8| (1..=12).contains(&month));
    let (expires, code) = match joined[..] {
        [month, year, ref code @ ..] if is_month(&month.text) && matches!(year.text.len(), 2 | 4) => (true, code),
        [both, ref code @ ..] if matches!(both.text.len(), 4 | 6) && both.text.get(..2).is_some_and(is_month) => {
            (true, code)
        }
        ref code => (false, code),
    };
    let is_code = match code {
        [] => true,
        [code] => code.text.len() == 3 || (expires && code.text.len() == 4),
        _ => false,
    };
    is_code && joined.iter().all(|group| group.is_number())
}

fn is_card_number(digits: &str) -> bool {
    is_issued(digits) && luhn(digits) && !is_article_number(digits)
}

/// Whether an issuer uses this prefix with this length (ISO/IEC 7812 ranges as the card schemes publish them).
fn is_issued(digits: &str) -> bool {
    let prefix = |length: usize| digits.get(..length).and_then(|head| head.parse::<u32>().ok()).unwrap_or_default();
    let length = digits.len();
    let visa = prefix(1) == 4 && [13, 16, 19].contains(&length);
    let mastercard = ((51..=55).contains(&prefix(2)) || (2221..=2720).contains(&prefix(4))) && length == 16;
    let amex = [34, 37].contains(&prefix(2)) && length == 15;
    let discover =
        (prefix(4) == 6011 || (644..=649).contains(&prefix(3)) || prefix(2) == 65) && (16..=19).contains(&length);
    let jcb = (3528..=3589).contains(&prefix(4)) && (16..=19).contains(&length);
    let diners = ((300..=305).contains(&prefix(3)) || [36, 38, 39].contains(&prefix(2))) && (14..=19).contains(&length);
    let unionpay = (prefix(2) == 62 || (8100..=8171).contains(&prefix(4))) && (16..=19).contains(&length);
    let maestro = [5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763].contains(&prefix(4));
    visa || mastercard || amex || discover || jcb || diners || unionpay || maestro
}

/// Whether the last digit is the Luhn check digit (ISO/IEC 7812-1, annex B).
fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match (place % 2, digit) {
                (0, digit) => digit,
                (_, digit) if digit > 4 => digit * 2 - 9,
                (_, digit) => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Whether this is an article number (GTIN-13, on every package), according to its check digit. The article numbers of
/// many countries begin with 4, and Visa has issued no 13-digit card for decades.
fn is_article_number(digits: &str) -> bool {
    let weighted = digits.bytes().enumerate().map(|(place, byte)| u32::from(byte - b'0') * [1, 3][place % 2]);
    digits.len() == 13 && weighted.sum::<u32>().is_multiple_of(10)
}
