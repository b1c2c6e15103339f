//! Reading items. An item that can't be read as what its key says is named in an error line and counted. Other items
//! are served.

use serde::de::DeserializeOwned;

use super::{Item, Store, StoreError, TableKey, text};
use spillway_runtime::Metric;

/// The items of a query that could be read, and names of the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable<T> {
    /// The items that could be read.
    pub items: Vec<T>,
    /// The sort keys of the other items, or the names that [`Readable::naming`] made from them.
    pub unreadable: Vec<String>,
}

impl<T> Readable<T> {
    /// The result without any item.
    pub const NONE: Readable<T> = Readable { items: Vec::new(), unreadable: Vec::new() };

    /// Replaces each sort key in `unreadable` by its name. A sort key without a name is removed.
    pub(super) fn naming(self, name: impl Fn(&str) -> Option<&str>) -> Readable<T> {
        let names = self.unreadable.iter().filter_map(|sk| name(sk).map(str::to_owned)).collect();
        Readable { unreadable: names, ..self }
    }

    /// The items. Errors if one could not be read.
    pub(super) fn complete(self) -> Result<Vec<T>, StoreError> {
        match self.unreadable.into_iter().next() {
            None => Ok(self.items),
            Some(sk) => Err(StoreError::Corrupt(sk)),
        }
    }
}

impl Store {
    /// Reads an item. Errors if it can't be read as a `T`; then the item is logged and counted.
    pub(super) fn read<T: DeserializeOwned>(&self, item: Item) -> Result<T, StoreError> {
        let key = TableKey::of(&item);
        serde_dynamo::from_item(item).map_err(|error| self.unreadable(key, without_values(&error.to_string())))
    }

    /// Logs and counts an item that can't be read, and returns the error for it.
    pub(super) fn unreadable(&self, key: Option<TableKey>, why: &str) -> StoreError {
        let TableKey { pk, sk } = key.unwrap_or(TableKey { pk: String::new(), sk: String::new() });
        tracing::error!(target: "spillway", pk, sk, why, "an item can't be read");
        self.metrics.add(Metric::ItemsUnreadable, 1);
        StoreError::Corrupt(format!("{pk} {sk}: {why}"))
    }

    /// All items of a partition whose sort keys begin with `prefix`, read strongly. With a limit, at most that many
    /// readable items.
    pub(super) async fn query<T>(
        &self, partition: &str, prefix: &str, limit: Option<usize>, read: impl Fn(Item) -> Result<T, StoreError>,
    ) -> Result<Readable<T>, StoreError> {
        let mut found = Readable::NONE;
        let mut from = None;
        loop {
            let page_size = limit.map(|limit| i32::try_from(limit - found.items.len()).unwrap_or(i32::MAX));
            let mut request = self
                .client
                .query()
                .table_name(&self.table)
                .consistent_read(true)
                .set_limit(page_size)
                .set_exclusive_start_key(from)
                .expression_attribute_values(":pk", text(partition));
            request = if prefix.is_empty() {
                request.key_condition_expression("pk = :pk")
            } else {
                request
                    .key_condition_expression("pk = :pk AND begins_with(sk, :prefix)")
                    .expression_attribute_values(":prefix", text(prefix))
            };
            let page = request.send().await.map_err(StoreError::from_sdk)?;
            for item in page.items.unwrap_or_default().into_iter().filter(|item| !self.has_expired(item)) {
                let key = TableKey::of(&item);
                match read(item) {
                    Ok(value) => found.items.push(value),
                    Err(_) => found.unreadable.extend(key.map(|key| key.sk)),
                }
            }
            from = page.last_evaluated_key;
            if from.is_none() || limit.is_some_and(|limit| found.items.len() >= limit) {
                return Ok(found);
            }
        }
    }
}

/// The part of serde's message that may be logged. It has none of the item's values, which may be secrets.
fn without_values(error: &str) -> &str {
    if error.starts_with("missing field") {
        return error;
    }
    error.split([':', '`', '"', '\'']).next().unwrap_or_default().trim_end()
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use spillway_domain::currency::Currency;
    use spillway_domain::webhook::EndpointStatus;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only read")]
    struct Example {
        number: u32,
        status: EndpointStatus,
        currency: Currency,
    }

    #[test]
    fn the_logged_reason_contains_no_value_of_the_item() {
        let right = [("number", "7"), ("status", "enabled"), ("currency", "USD")];
        let wrong = |name: &str, value: Option<&str>| {
            let mut item: Item = right.map(|(name, value)| (name.to_owned(), text(value))).into();
            item.insert("number".to_owned(), super::super::number(7));
            match value {
                Some(value) => item.insert(name.to_owned(), text(value)),
                None => item.remove(name),
            };
            let error = serde_dynamo::from_item::<_, Example>(item).unwrap_err().to_string();
            without_values(&error).to_owned()
        };
        assert_eq!(wrong("number", None), "missing field `number`");
        for (name, reason) in [
            ("number", "Expected num"),
            ("status", "unknown EndpointStatus"),
            ("currency", "not a three-letter upper-case ISO 4217 currency code"),
        ] {
            assert_eq!(wrong(name, Some("whsec_secret")), reason);
        }
        let too_long: Item = [("number".to_owned(), super::super::number("4242424242424242"))].into();
        let error = serde_dynamo::from_item::<_, Example>(too_long).unwrap_err().to_string();
        assert_eq!(without_values(&error), "Failed to parse");
    }
}
