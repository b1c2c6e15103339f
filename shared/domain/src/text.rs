//! Enums that are written as words: in items, in JSON, in keys.

/// An enum whose values are written as words.
pub trait Words: serde::Serialize + Copy + PartialEq + 'static {
    /// All values.
    const ALL: &'static [Self];

    /// The word of a value.
    fn word(self) -> &'static str;

    /// All words, in the order of [`Words::ALL`].
    fn words() -> Vec<String> {
        Self::ALL.iter().map(|value| value.word().to_owned()).collect()
    }

    /// The value with this word. None if there is no such value.
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }
}

/// Implements an enum's conversions from and to its words. The enum derives `strum::EnumString`,
/// `strum::IntoStaticStr`, `strum::VariantArray` and `strum::EnumMessage`. So its declaration is the only list of its
/// values, words and descriptions.
macro_rules! as_text {
    ($type:ident) => {
        $crate::text::as_text!($type, stringify!($type));
    };
    // `$name`: the name of the schema in the OpenAPI document.
    ($type:ident, $name:expr) => {
        impl $type {
            /// All values.
            pub const ALL: &'static [$type] = <$type as strum::VariantArray>::VARIANTS;

            /// The word of this value.
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// The value with this word. None if there is no such value.
            pub fn parse(text: &str) -> Option<$type> {
                text.parse().ok()
            }
        }

        impl $crate::text::Words for $type {
            const ALL: &'static [$type] = $type::ALL;

            fn word(self) -> &'static str {
                self.as_str()
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use strum::EnumMessage as _;
                let value = |value: &$type| {
                    let description = value.get_documentation().unwrap_or_default();
                    schemars::json_schema!({"type": "string", "const": value.as_str(), "description": description})
                };
                let values: Vec<schemars::Schema> = $type::ALL.iter().map(value).collect();
                schemars::json_schema!({"oneOf": values})
            }
        }

        $crate::text::serde_as_text!($type, concat!("unknown ", stringify!($type)));
    };
}

/// Implements serde by the text form, for a type with `Display` and `parse`. `$wrong`: the error if `parse` returns
/// `None`.
macro_rules! serde_as_text {
    (@impl $type:ty, $text:ident, $parsed:expr) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let $text = &<String as serde::Deserialize>::deserialize(deserializer)?;
                $parsed.map_err(serde::de::Error::custom)
            }
        }
    };
    ($type:ty) => {
        $crate::text::serde_as_text!(@impl $type, text, Self::parse(text));
    };
    ($type:ty, $wrong:expr) => {
        $crate::text::serde_as_text!(@impl $type, text, Self::parse(text).ok_or($wrong));
    };
}

pub(crate) use {as_text, serde_as_text};

#[cfg(test)]
mod tests {
    use super::Words as _;
    use crate::payment::Status;

    #[test]
    fn words_and_values_convert_both_ways() {
        assert_eq!(Status::words(), ["processing", "succeeded", "failed"]);
        assert_eq!((Status::of_word("failed"), Status::of_word("Failed")), (Some(Status::Failed), None));
        assert_eq!(serde_json::to_string(&Status::Failed).unwrap(), "\"failed\"");
    }
}
