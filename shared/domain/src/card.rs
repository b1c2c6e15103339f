//! Card numbers never enter: this tells whether a text holds one.

const LENGTH_MIN: usize = 12;
const LENGTH_MAX: usize = 19;

/// Whether some part of `text` is a card number: an issuer's prefix with a length that the issuer uses, and a right
/// Luhn digit. Spaces, dots and dashes of any kind between digits are ignored; a number is looked for between other characters, or at
/// the edges of groups of digits, so that long references are not taken for cards by accident.
pub fn holds_card_number(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_digit() || is_separator(c))).any(|run| {
        let groups: Vec<&str> = run.split(is_separator).filter(|group| !group.is_empty()).collect();
        (0..groups.len()).any(|first| starts_card_number(&groups[first..]))
    })
}

/// Spaces, also those that do not break or have no width, dots, and dashes of every length.
fn is_separator(c: char) -> bool {
    let no_width = ('\u{200b}'..='\u{200f}').contains(&c) || c == '\u{2060}' || c == '\u{feff}';
    c == '-' || c == '.' || no_width || c == '\u{2212}' || ('\u{2010}'..='\u{2015}').contains(&c) || c.is_whitespace()
}

/// Whether the first groups, joined, are a card number.
fn starts_card_number(groups: &[&str]) -> bool {
    let mut digits = String::new();
    for group in groups {
        digits.push_str(group);
        if digits.len() > LENGTH_MAX {
            return false;
        }
        if digits.len() >= LENGTH_MIN && is_issued(&digits) && luhn(&digits) {
            return true;
        }
    }
    false
}

/// Whether an issuer gives out numbers of this prefix and length (ISO/IEC 7812 ranges as the card schemes publish
/// them).
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
    let unionpay = [62, 81].contains(&prefix(2)) && (16..=19).contains(&length);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn card_numbers_are_found_however_they_are_written() {
        for text in [
            "4242424242424242",
            "4242 4242 4242 4242",
            "4242-4242-4242-4242",
            "card:5555555555554444.",
            "please charge 3782 822463 10005 today",
            "1001 4242 4242 4242 4242 07",
            "6011000990139424",
            "30569309025904",
            "6200000000000005",
            "2223003122003222",
            "4242\u{a0}4242\u{202f}4242\u{2009}4242",
            "4242–4242—4242‑4242",
            "4242.4242.4242.4242",
            "4242\u{200b}4242\u{feff}42424242",
        ] {
            assert!(holds_card_number(text), "{text}");
        }
    }

    #[test]
    fn other_numbers_are_not() {
        for text in [
            "",
            "Order 1001",
            "4242424242424241",        // wrong check digit
            "42424242424242424242424", // longer than any card
            "1234567890123452",        // right check digit, no issuer
            "+1 202 555 0143",
            "424242424242424", // 15 digits: no Visa length
            "2026-01-31 12:00:00",
        ] {
            assert!(!holds_card_number(text), "{text}");
        }
    }
}
