//! Enums that are written as texts: in items, in JSON, in keys.

/// Gives an enum its texts in every form. The enum derives `strum::EnumString`, `strum::IntoStaticStr` and
/// `strum::VariantArray`: what these derive is the one list of its values and of their texts.
macro_rules! as_text {
    ($type:ident) => {
        impl $type {
            /// All of them.
            pub const ALL: &'static [$type] = <$type as strum::VariantArray>::VARIANTS;

            /// The text.
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// Reads the text. None if it is none of these.
            pub fn parse(text: &str) -> Option<$type> {
                text.parse().ok()
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

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                $type::parse(&text).ok_or_else(|| serde::de::Error::custom(concat!("unknown ", stringify!($type))))
            }
        }
    };
}

pub(crate) use as_text;
