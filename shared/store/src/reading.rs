//! Items as they are read. An item that does not read as what its key says is named in an error line and counted. The
//! items beside it are served.

use serde::de::DeserializeOwned;

use super::{Item, Store, StoreError, TableKey, text};
use spillway_runtime::Metric;

/// What could be read of several items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readable<T> {
    /// Those that could.
    pub items: Vec<T>,
    /// For each of the others its sort key, or what [`Readable::naming`] made of it.
    pub unreadable: Vec<String>,
}

impl<T> Readable<T> {
    /// No item at all.
    pub const NONE: Readable<T> = Readable { items: Vec::new(), unreadable: Vec::new() };

    /// These items and those of another partition.
    pub(super) fn and(mut self, others: Readable<T>) -> Readable<T> {
        self.items.extend(others.items);
        self.unreadable.extend(others.unreadable);
        self
    }

    /// Replaces each sort key in `unreadable`; drops it where `name` returns none.
    pub(super) fn naming(self, name: impl Fn(&str) -> Option<&str>) -> Readable<T> {
        let names = self.unreadable.iter().filter_map(|sk| name(sk).map(str::to_owned)).collect();
        Readable { unreadable: names, ..self }
    }

    /// The items. An error if one could not be read.
    pub(super) fn complete(self) -> Result<Vec<T>, StoreError> {
        match self.unreadable.into_iter().next() {
            None => Ok(self.items),
            Some(sk) => Err(StoreError::Corrupt(sk)),
        }
    }
}

impl Store {
    /// Reads an item. An error if it does not read as a `T`, which is then named and counted.
    pub(super) fn read<T: DeserializeOwned>(&self, item: Item) -> Result<T, StoreError> {
        let key = TableKey::of(&item);
        serde_dynamo::from_item(item).map_err(|error| self.unreadable(key, what_is_wrong(&error.to_string())))
    }

    /// Names an item that can't be read, and counts it.
    pub(super) fn unreadable(&self, key: Option<TableKey>, why: &str) -> StoreError {
        let TableKey { pk, sk } = key.unwrap_or(TableKey { pk: String::new(), sk: String::new() });
        tracing::error!(target: "spillway", pk, sk, why, "an item can't be read");
        self.metrics.add(Metric::ItemsUnreadable, 1);
        StoreError::Corrupt(format!("{pk} {sk}: {why}"))
    }

    /// All items of a partition whose sort key begins with `prefix`, read strongly; with a limit, at most so many
    /// that can be read.
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

/// The part of serde's message that may be logged: without the item's values, which may be secrets.
fn what_is_wrong(error: &str) -> &str {
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
    fn what_is_wrong_with_an_item_tells_no_value_of_it() {
        let right = [("number", "7"), ("status", "enabled"), ("currency", "USD")];
        let wrong = |name: &str, value: Option<&str>| {
            let mut item: Item = right.map(|(name, value)| (name.to_owned(), text(value))).into();
            item.insert("number".to_owned(), super::super::number(7));
            match value {
                Some(value) => item.insert(name.to_owned(), text(value)),
                None => item.remove(name),
            };
            let error = serde_dynamo::from_item::<_, Example>(item).unwrap_err().to_string();
            what_is_wrong(&error).to_owned()
        };
        assert_eq!(wrong("number", None), "missing field `number`");
        for (name, told) in [
            ("number", "Expected num"),
            ("status", "unknown EndpointStatus"),
            ("currency", "not a three-letter upper-case ISO 4217 currency code"),
        ] {
            assert_eq!(wrong(name, Some("whsec_secret")), told);
        }
        let too_long: Item = [("number".to_owned(), super::super::number("4242424242424242"))].into();
        let error = serde_dynamo::from_item::<_, Example>(too_long).unwrap_err().to_string();
        assert_eq!(what_is_wrong(&error), "Failed to parse");
    }
}
