//! Recognizes an IBAN, or a creditor's reference (RF…), by its check digits.

use super::groups::{Gap, Group};

/// The fewest and the most characters of an IBAN (ISO 13616).
const LENGTH_MIN: usize = 15;
const LENGTH_MAX: usize = 34;

/// How many groups at the start form an IBAN in groups of four. 0 if they do not. (An IBAN in one piece is a single
/// group with letters, so it can't look like a card number.)
pub(super) fn groups_at_start(groups: &[Group]) -> usize {
    let Some((head, groups)) = groups.split_first().filter(|(head, _)| is_head(&head.text)) else { return 0 };
    let (mut found, mut length, mut remainder) = (0, head.text.len(), 0);
    for (index, group) in groups.iter().enumerate() {
        length += group.text.len();
        if group.gap == Gap::Apart || group.text.len() > 4 || length > LENGTH_MAX {
            break;
        }
        remainder = append(remainder, &group.text);
        // The check moves the head to the end: ISO 7064, MOD 97-10.
        if length >= LENGTH_MIN && append(remainder, &head.text) == 1 {
            found = index + 2;
        }
        if group.text.len() < 4 {
            break;
        }
    }
    found
}

/// Whether the text is two letters and two digits.
fn is_head(text: &str) -> bool {
    matches!(text.as_bytes(), [a, b, c, d] if [a, b].iter().all(|byte| byte.is_ascii_alphabetic())
        && [c, d].iter().all(|byte| byte.is_ascii_digit()))
}

/// The remainder modulo 97 of a number after `text` is appended to it. A letter counts as two digits (A is 10).
fn append(remainder: u32, text: &str) -> u32 {
    let values = text.chars().filter_map(|c| c.to_digit(36));
    values.fold(remainder, |remainder, value| (remainder * if value < 10 { 10 } else { 100 } + value) % 97)
}
