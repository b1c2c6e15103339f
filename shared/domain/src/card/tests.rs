use proptest::prelude::*;
use proptest::sample::select;

use super::*;

/// Numbers that card schemes and processors publish for testing.
const TEST_NUMBERS: [&str; 25] = [
    "4242424242424242",
    "4000056655665556",
    "4111111111111111",
    "4222222222222",
    "5555555555554444",
    "5105105105105100",
    "5200828282828210",
    "2223003122003222",
    "2720992593319364",
    "378282246310005",
    "371449635398431",
    "341111111111111",
    "6011111111111117",
    "6011000990139424",
    "6445644564456445",
    "6555900000604105",
    "3566002020360505",
    "3530111333300000",
    "30569309025904",
    "38520000023237",
    "36227206271667",
    "6200000000000005",
    "6205500000000000004",
    "6304000000000000",
    "501800000009",
];

#[test]
fn card_numbers_are_found_in_every_notation() {
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
        // Followed by an expiry and a security code.
        "4242 4242 4242 4242 12/27 123",
        "4242424242424242 12/27",
        "4242424242424242/12/27/123",
        "4242424242424242|12|27|123",
        "4242-4242-4242-4242-1227-123",
        "4242_4242_4242_4242_12_2027",
        "3782 822463 10005 12/27 1234",
        "378282246310005/12/27/1234",
        // After a label or another number.
        "No.4242424242424242",
        "card_4242424242424242",
        "order 1001 4242424242424242",
        "12/27 4242 4242 4242 4242",
        "2026 11 27 4242 4242 4242 4242",
        "PO12 4242 4242 4242 4242",
        "No. 2: 4242 4242 4242 4242 1500 EUR",
        "カード4242424242424242です",
        // Two card numbers, the first one mistyped.
        "4242 4242 4242 4241, 5555 5555 5555 4444",
        "4242.4242.4242.4241 5555.5555.5555.4444",
        // Digits of other scripts, and other separators.
        "４２４２ ４２４２ ４２４２ ４２４２",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "۴۲۴۲-۴۲۴۲-۴۲۴۲-۴۲۴۲",
        "४२४२ ४२४२ ४२४२ ४२४२",
        "𝟜𝟚𝟜𝟚𝟜𝟚𝟜𝟚𝟜𝟚𝟜𝟚𝟜𝟚𝟜𝟚",
        "4️⃣2️⃣4️⃣2️⃣4️⃣2️⃣4️⃣2️⃣4️⃣2️⃣4️⃣2️⃣4️⃣2️⃣4️⃣2️⃣",
        "4242_4242_4242_4242",
        "4242/4242/4242/4242",
        "4242  4242  4242  4242",
        "4242 - 4242 - 4242 - 4242",
        "4242·4242•4242・4242",
        "4242\n4242\t4242\r\n4242",
        "4242 42424242 4242 4242 4242 4242",
    ] {
        assert!(holds_card_number(text), "{text}");
    }
}

#[test]
fn other_numbers_are_not_card_numbers() {
    for text in [
        "",
        "Order 1001",
        "4242424242424241",        // wrong check digit
        "42424242424242424242424", // longer than any card
        "1234567890123452",        // correct check digit, no issuer
        "+1 202 555 0143",
        "424242424242424", // 15 digits: no Visa length
        "2026-01-31 12:00:00",
        "a4242424242424242", // touches a letter
        "4242424242424242b",
        "4242 4242 4242 4242b",
        "0.4242424242424242", // a part of a longer number
        "4242424242424242.50",
        "2026-4242424242424242",
        "4242424242424242-4242",
        "4242-4242-4242-4242-4242",
        "1234 1234 4242 4242 4242 4242 1234", // inside a longer number
        "42424242 42424242",                  // in groups that cards do not use
        "424242 424242 4242",
        "424 242 424 242 4242",
        "4242,4242,4242,4242",                  // a list
        "d69a3895-2f40-4615-8792-183c7d8214b3", // a UUID
        "BE71 0961 2345 6769",                  // IBANs of the registry's examples
        "DE89 3704 0044 0532 0130 00",
        "GB29 NWBK 6016 1331 9268 19",
        "FR14 2004 1010 0505 0001 3M02 606",
        "RF18 5390 0754 7034", // ISO 11649
        "4006381333931",       // a pencil's GTIN-13
    ] {
        assert!(!holds_card_number(text), "{text}");
    }
}

/// The number in one piece, in groups of four, and in the groups of its card.
fn ways(number: &str) -> [Vec<&str>; 3] {
    let own: &[usize] = match number.len() {
        13 => &[4, 3, 3, 3],
        14 | 15 => &[4, 6, 5],
        19 => &[6, 13],
        _ => &[4; 5],
    };
    [&[19][..], &[4; 5], own].map(|lengths| {
        let mut rest = number;
        let groups = lengths.iter().map(|length| {
            let (group, after) = rest.split_at(rest.len().min(*length));
            rest = after;
            group
        });
        groups.filter(|group| !group.is_empty()).collect()
    })
}

/// The text with its ASCII digits replaced by those of the script that begins with `zero`.
fn in_script(text: &str, zero: char) -> String {
    let other = |c: char| c.to_digit(10).and_then(|value| char::from_u32(u32::from(zero) + value));
    text.chars().map(|c| other(c).unwrap_or(c)).collect()
}

const SEPARATORS: [&str; 14] =
    ["", " ", "  ", "\u{a0}", "\u{3000}", "-", " - ", "–", "—", ".", "·", "_", "/", "\u{200b} "];
const BEFORE: [&str; 11] =
    ["", "card: ", "No.", "nr_", "(", "\"", "質", "#1001, ", "order 1001 ", "https://example.com/a/", "12/27 "];
const BEHIND: [&str; 14] = [
    "",
    ".",
    ", thanks",
    ")",
    "です",
    " x9",
    " 12/27 123",
    "/12/27",
    "/1227/123",
    ".pdf",
    "–Visa",
    " 1500 EUR",
    "\n5",
    " 4242",
];

proptest! {
    #[test]
    fn test_numbers_are_found_in_any_notation_and_prose(
        number in select(&TEST_NUMBERS),
        way in 0..3_usize,
        separator in select(&SEPARATORS),
        zero in select(&['0', '０', '٠', '۰', '०', '๐', '𝟬']),
        before in select(&BEFORE),
        behind in select(&BEHIND),
        prose in "([a-zA-Z,;:!?ä質]{1,9} ?){0,4}",
    ) {
        let written = in_script(&ways(number)[way].join(separator), zero);
        let text = format!("{prose} {before}{written}{behind} {prose}");
        prop_assert!(holds_card_number(&text), "{text}");
    }

    #[test]
    fn no_text_causes_a_panic(text in "\\PC*", signs in "[0-9 ./_\\-a-f]{0,80}") {
        let _ = (holds_card_number(&text), holds_card_number(&signs));
    }
}

/// A pseudo-random generator with a fixed seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }

    fn of(&mut self, signs: &str, length: usize) -> String {
        (0..length).map(|_| char::from(signs.as_bytes()[self.below(signs.len())])).collect()
    }

    fn digits(&mut self, length: usize) -> String {
        self.of("0123456789", length)
    }

    fn uuid(&mut self) -> [String; 5] {
        let mut hex = |length| self.of("0123456789abcdef", length);
        let parts = [hex(8), hex(4), format!("4{}", hex(3)), hex(3), hex(12)];
        let variant = self.of("89ab", 1);
        parts.map(|part| if part.len() == 3 { format!("{variant}{part}") } else { part })
    }

    fn iban(&mut self) -> String {
        // Country, and its account numbers: digits (n), letters (a), both (c).
        let (country, kinds) = [
            ("AT", "nnnnnnnnnnnnnnnn"),
            ("BE", "nnnnnnnnnnnn"),
            ("CH", "nnnnncccccccccccc"),
            ("DE", "nnnnnnnnnnnnnnnnnn"),
            ("ES", "nnnnnnnnnnnnnnnnnnnn"),
            ("FR", "nnnnnnnnnncccccccccccnn"),
            ("GB", "aaaannnnnnnnnnnnnn"),
            ("IT", "annnnnnnnnncccccccccccc"),
            ("NL", "aaaannnnnnnnnn"),
            ("NO", "nnnnnnnnnnn"),
            ("PL", "nnnnnnnnnnnnnnnnnnnnnnnn"),
            ("SE", "nnnnnnnnnnnnnnnnnnnn"),
        ][self.below(12)];
        let digits = "0123456789";
        let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        let account: String = kinds
            .chars()
            .map(|kind| match kind {
                'n' => self.of(digits, 1),
                'a' => self.of(letters, 1),
                _ => self.of(&format!("{digits}{digits}{letters}"), 1),
            })
            .collect();
        // The check digits: 98 minus the remainder modulo 97 of account, country and 00. Nine digits at a time.
        let signs = format!("{account}{country}00");
        let number: String = signs.chars().map(|c| c.to_digit(36).unwrap().to_string()).collect();
        let remainder = number.as_bytes().chunks(9).fold(0_u64, |remainder, chunk| {
            format!("{remainder}{}", str::from_utf8(chunk).unwrap()).parse::<u64>().unwrap() % 97
        });
        format!("{country}{:02}{account}", 98 - remainder)
    }
}

/// The text in groups of `length`, with spaces between.
fn spaced(text: &str, length: usize) -> String {
    let groups: Vec<&str> = text.as_bytes().chunks(length).map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(" ")
}

/// How many of 100,000 generated texts are refused.
fn refused(text: impl Fn(&mut Random) -> String) -> u32 {
    let mut random = Random(2026);
    (0..100_000).map(|_| u32::from(holds_card_number(&text(&mut random)))).sum()
}

#[test]
fn uuids_are_not_refused() {
    assert!(refused(|random| random.uuid().join("-")) <= 1);
    assert!(refused(|random| random.uuid().join("-").to_uppercase()) <= 1);
    assert!(refused(|random| random.uuid().concat()) <= 1);
    assert!(refused(|random| format!("order {}, cart {}", random.uuid().join("-"), random.uuid().join("-"))) <= 1);
}

#[test]
fn ibans_are_not_refused() {
    assert!(refused(Random::iban) <= 1);
    assert!(refused(|random| spaced(&random.iban(), 4)) <= 1);
    assert!(refused(|random| format!("From {} (Acme)", spaced(&random.iban().to_lowercase(), 4))) <= 1);
}

#[test]
fn references_in_other_formats_are_not_refused() {
    for refused in [
        refused(|random| format!("R{}", random.digits(16))),
        refused(|random| format!("0.{}", random.digits(16))),
        refused(|random| format!("{}-{}-{}", random.digits(3), random.digits(7), random.digits(7))),
        refused(|random| spaced(&random.digits(16), 8)),
        refused(|random| format!("20261127{}", random.digits(8))),
        refused(|random| format!("17{}", random.digits(11))), // milliseconds since 1970
    ] {
        assert_eq!(refused, 0);
    }
    let gtin = |random: &mut Random| {
        let number = format!("4{}", random.digits(11));
        let sum: u32 =
            number.chars().zip([1, 3].into_iter().cycle()).map(|(c, weight)| c.to_digit(10).unwrap() * weight).sum();
        format!("{number}{}", (10 - sum % 10) % 10)
    };
    assert_eq!(refused(gtin), 0);
}

/// These rates can't be lowered by any rule about digits. Of the 10,000 four-digit prefixes, the given number is issued
/// with this length, and one number in ten has a correct Luhn digit.
#[test]
fn random_digits_are_refused_at_the_expected_rate() {
    // 16 digits: Visa 1000, Mastercard 500 and 500, Discover 161, JCB 62, Diners 360, UnionPay 172, Maestro 9: 2764.
    assert!((2_600..2_930).contains(&refused(|random| random.digits(16))));
    assert!((2_600..2_930).contains(&refused(|random| spaced(&random.digits(16), 4))));
    // 19 digits: the same without Mastercard: 1764.
    assert!((1_630..1_900).contains(&refused(|random| random.digits(19))));
    // 13 digits: Visa 1000 and Maestro 9, minus the tenth with a correct GTIN-13 digit: 908.
    assert!((810..1_010).contains(&refused(|random| random.digits(13))));
    // A date of 2023 to 2027 and ten digits: all have a Mastercard prefix.
    let dated = |random: &mut Random| {
        let (year, month, day) = (23 + random.below(5), 1 + random.below(12), 1 + random.below(28));
        format!("{year}{month:02}{day:02}{}", random.digits(10))
    };
    assert!((9_600..10_400).contains(&refused(dated)));
}
