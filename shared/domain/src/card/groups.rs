//! Splits a text into groups of letters and digits.

/// Letters and digits that touch each other. Only ASCII letters count, because codes consist of these. Other scripts
/// may have no spaces, so that their letters touch any number beside them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// ASCII letters and digits. Digits of other scripts are converted.
    pub text: String,
    /// The separator in front of the group.
    pub gap: Gap,
}

/// The kind of separator between two groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    /// Dashes, dots, slashes, underscores.
    Joined,
    /// Spaces, alone or with the characters of `Joined`.
    Spaced,
    /// Any other character.
    Apart,
}

impl Group {
    pub fn is_number(&self) -> bool {
        self.text.bytes().all(|byte| byte.is_ascii_digit())
    }

    pub fn has_digits(&self) -> bool {
        self.text.bytes().any(|byte| byte.is_ascii_digit())
    }
}

/// The groups of a text.
pub(super) fn of(text: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    // `None` while inside a group.
    let mut gap = Some(Gap::Apart);
    for c in text.chars().filter(|c| !is_invisible(*c)) {
        let Some(letter) = digit(c).or_else(|| Some(c).filter(char::is_ascii_alphabetic)) else {
            gap = gap.max(Some(kind(c)));
            continue;
        };
        match (gap.take(), groups.last_mut()) {
            (None, Some(group)) => group.text.push(letter),
            (before, _) => groups.push(Group { text: letter.into(), gap: before.unwrap_or(Gap::Apart) }),
        }
    }
    groups
}

fn kind(c: char) -> Gap {
    match c {
        _ if c.is_whitespace() => Gap::Spaced,
        '-' | '.' | '/' | '_' | '\\' => Gap::Joined,
        // Dashes and the minus.
        '\u{2010}'..='\u{2015}' | '\u{2043}' | '\u{2212}' | '\u{301c}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}' => {
            Gap::Joined
        }
        // Dots in the middle, bullets and full stops.
        '\u{b7}' | '\u{2022}' | '\u{2024}' | '\u{2027}' | '\u{2219}' | '\u{22c5}' | '\u{30fb}' | '\u{fe52}'
        | '\u{ff0e}' | '\u{ff65}' => Gap::Joined,
        // Slashes and underscores.
        '\u{2044}' | '\u{2215}' | '\u{ff0f}' | '\u{ff3c}' | '\u{203f}' | '\u{ff3f}' => Gap::Joined,
        _ => Gap::Apart,
    }
}

/// Whether a character has no width: hyphenation, joiners, marks of direction, variants and keycaps. They are ignored.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{20e3}' | '\u{feff}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}')
}

/// The ASCII digit for a decimal digit of any script (Unicode's category Nd). None if `c` is not such a digit.
pub(super) fn digit(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c).filter(char::is_ascii_digit);
    }
    let zero = ZEROS[..ZEROS.partition_point(|zero| *zero <= c)].last()?;
    char::from_digit(u32::from(c) - u32::from(*zero), 10)
}

/// The zeros of all scripts except ASCII, in order (Unicode 17). The digits 1 to 9 follow each zero.
#[rustfmt::skip]
const ZEROS: [char; 75] = [
    '\u{660}', '\u{6f0}', '\u{7c0}', '\u{966}', '\u{9e6}', '\u{a66}', '\u{ae6}', '\u{b66}', '\u{be6}', '\u{c66}',
    '\u{ce6}', '\u{d66}', '\u{de6}', '\u{e50}', '\u{ed0}', '\u{f20}', '\u{1040}', '\u{1090}', '\u{17e0}', '\u{1810}',
    '\u{1946}', '\u{19d0}', '\u{1a80}', '\u{1a90}', '\u{1b50}', '\u{1bb0}', '\u{1c40}', '\u{1c50}', '\u{a620}',
    '\u{a8d0}', '\u{a900}', '\u{a9d0}', '\u{a9f0}', '\u{aa50}', '\u{abf0}', '\u{ff10}', '\u{104a0}', '\u{10d30}',
    '\u{10d40}', '\u{11066}', '\u{110f0}', '\u{11136}', '\u{111d0}', '\u{112f0}', '\u{11450}', '\u{114d0}',
    '\u{11650}', '\u{116c0}', '\u{116d0}', '\u{116da}', '\u{11730}', '\u{118e0}', '\u{11950}', '\u{11bf0}',
    '\u{11c50}', '\u{11d50}', '\u{11da0}', '\u{11de0}', '\u{11f50}', '\u{16a60}', '\u{16ac0}', '\u{16b50}',
    '\u{16d70}', '\u{1ccf0}', '\u{1d7ce}', '\u{1d7d8}', '\u{1d7e2}', '\u{1d7ec}', '\u{1d7f6}', '\u{1e140}',
    '\u{1e2f0}', '\u{1e4f0}', '\u{1e5f1}', '\u{1e950}', '\u{1fbf0}',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_are_digits() {
        assert!(ZEROS.is_sorted());
        for zero in ZEROS {
            let digits = (0..10).map(|value| char::from_u32(u32::from(zero) + value).unwrap());
            assert!(digits.clone().all(char::is_numeric), "{zero:?}");
            assert_eq!(digits.filter_map(digit).collect::<String>(), "0123456789", "{zero:?}");
        }
        for (other, value) in
            [('\u{ff17}', Some('7')), ('\u{664}', Some('4')), ('५', Some('5')), ('\u{1d7ff}', Some('9'))]
        {
            assert_eq!(digit(other), value, "{other:?}");
        }
        for other in ['x', '\u{65f}', '\u{66a}', '\u{ff1a}', '四', '\u{1d7cd}', '\u{1d800}', char::MAX] {
            assert_eq!(digit(other), None, "{other:?}");
        }
    }

    #[test]
    fn each_group_has_the_gap_before_it() {
        let group = |text: &str, gap| Group { text: text.to_owned(), gap };
        let groups = [
            group("No", Gap::Apart),
            group("42", Gap::Joined),
            group("7a", Gap::Spaced),
            group("1", Gap::Spaced),
            group("2", Gap::Apart),
            group("34", Gap::Joined),
        ];
        assert_eq!(of("(No.42 \u{3000}7a - 1, 2__３\u{200b}4)"), groups);
    }
}
