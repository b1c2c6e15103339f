//! Enums that are written as texts: in items, in JSON, in keys.

/// A type whose values are written as one of a few words.
pub trait Words: serde::Serialize + Copy + PartialEq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The word of a value.
    fn word(self) -> &'static str;

    /// Every word, in the same order.
    fn words() -> Vec<String> {
        Self::ALL.iter().map(|value| value.word().to_owned()).collect()
    }

    /// The value of a word.
    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|value| value.word() == word)
    }
}

/// Gives an enum its texts in every form. The enum derives `strum::EnumString`, `strum::IntoStaticStr`,
/// `strum::VariantArray` and `strum::EnumMessage`: what these derive is the one list of its values and of their texts, and of
/// what is said of them.
macro_rules! as_text {
    ($type:ident) => {
        $crate::text::as_text!($type, stringify!($type));
    };
    // With another name in the OpenAPI document.
    ($type:ident, $name:expr) => {
        impl $type {
            /// All of them.
            pub const ALL: &'static [$type] = <$type as strum::VariantArray>::VARIANTS;

            /// The text.
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// Reads the text. None if it is the text of no value.
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

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                use strum::EnumMessage as _;
                let value = |value: &$type| {
                    let about = value.get_documentation().unwrap_or_default();
                    schemars::json_schema!({"type": "string", "const": value.as_str(), "description": about})
                };
                let values: Vec<schemars::Schema> = $type::ALL.iter().map(value).collect();
                schemars::json_schema!({"oneOf": values})
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                $type::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("unknown ", stringify!($type))))
            }
        }
    };
}

pub(crate) use as_text;

#[cfg(test)]
mod tests {
    use super::Words as _;
    use crate::payment::Status;

    #[test]
    fn a_word_names_the_value_that_is_written_so() {
        assert_eq!(Status::words(), ["processing", "succeeded", "failed"]);
        assert_eq!((Status::of_word("failed"), Status::of_word("Failed")), (Some(Status::Failed), None));
        assert_eq!(serde_json::to_string(&Status::Failed).unwrap(), "\"failed\"");
    }
}
