//! A call of the store and its answer, in DynamoDB's JSON.

use serde_json::{Value, json};

/// A call.
#[derive(Clone, Debug)]
pub struct Call {
    /// `PutItem`, …
    pub operation: String,
    /// The request.
    pub body: Value,
}

/// An answer: the HTTP status and the body.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 200, 400 or 500.
    pub status: u16,
    /// The answer or the error.
    pub body: Value,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Answer {
        Answer { status: 200, body }
    }

    /// The error of this name.
    pub fn error(name: &str, message: &str) -> Answer {
        let status = if name == "InternalServerError" { 500 } else { 400 };
        Answer { status, body: json!({"__type": type_of(name), "message": message}) }
    }

    /// A canceled transaction with these reasons, one for each of its items; `None` for an item that was no reason.
    pub fn canceled(reasons: &[Option<&str>]) -> Answer {
        let reasons: Vec<Value> = reasons.iter().map(|code| json!({"Code": code.unwrap_or("None")})).collect();
        let mut answer = Answer::error("TransactionCanceledException", "Transaction cancelled");
        answer.body["CancellationReasons"] = json!(reasons);
        answer
    }

    /// Whether the call was executed.
    pub fn is_ok(&self) -> bool {
        self.status == 200
    }
}

fn type_of(name: &str) -> String {
    format!("com.amazonaws.dynamodb.v20120810#{name}")
}

/// One write of a call, or a condition on an item that it does not write.
#[derive(Clone, Debug)]
pub(crate) struct Write {
    /// The item's key, or the whole new item.
    pub key: Value,
    pub is_put: bool,
    /// The names in its expressions. None for a deletion, which has a part in everything.
    names: Option<Vec<String>>,
}

impl Write {
    /// Whether the write may change one of these two attributes.
    pub(crate) fn names(&self, (one, other): &(String, String)) -> bool {
        self.names.as_ref().is_none_or(|names| names.contains(one) || names.contains(other))
    }
}

impl Call {
    /// The writes of the call, in order. Empty for reads.
    pub(crate) fn writes(&self) -> Vec<Write> {
        match self.operation.as_str() {
            "PutItem" => vec![put(&self.body["Item"])],
            "UpdateItem" => vec![update(&self.body)],
            "DeleteItem" => vec![deletion(&self.body["Key"])],
            "BatchWriteItem" => {
                self.batch().into_iter().flat_map(|(_, requests)| list(requests)).map(of_batch).collect()
            }
            "TransactWriteItems" => list(&self.body["TransactItems"]).map(of_transaction).collect(),
            _ => Vec::new(),
        }
    }

    pub(crate) fn is_transaction(&self) -> bool {
        self.operation == "TransactWriteItems" || self.operation == "TransactGetItems"
    }

    /// The tables of a batch with their requests.
    pub(crate) fn batch(&self) -> Vec<(&String, &Value)> {
        self.body["RequestItems"].as_object().into_iter().flatten().collect()
    }

    /// The partition key of a query: the value that its first equality names.
    pub(crate) fn queried(&self) -> String {
        let expression = self.body["KeyConditionExpression"].as_str().unwrap_or_default();
        let equality = expression.split(" AND ").find_map(|part| part.split_once(" = "));
        let value = equality.map_or("", |(_, value)| value.trim());
        self.body["ExpressionAttributeValues"][value]["S"].as_str().unwrap_or_default().to_owned()
    }
}

fn put(item: &Value) -> Write {
    Write { key: item.clone(), is_put: true, names: None }
}

fn deletion(key: &Value) -> Write {
    Write { key: key.clone(), is_put: false, names: None }
}

/// An update, or the condition of a transaction. Its expressions have a placeholder for every name.
fn update(part: &Value) -> Write {
    let names = part["ExpressionAttributeNames"].as_object().into_iter().flat_map(|names| names.values());
    let names = names.filter_map(|name| Some(name.as_str()?.to_owned())).collect();
    Write { key: part["Key"].clone(), is_put: false, names: Some(names) }
}

fn of_batch(request: &Value) -> Write {
    match &request["PutRequest"]["Item"] {
        Value::Null => deletion(&request["DeleteRequest"]["Key"]),
        item => put(item),
    }
}

fn of_transaction(item: &Value) -> Write {
    match item.as_object().and_then(|item| item.iter().next()) {
        Some((kind, part)) if kind == "Put" => put(&part["Item"]),
        Some((kind, part)) if kind == "Delete" => deletion(&part["Key"]),
        Some((_, part)) => update(part),
        None => deletion(&Value::Null),
    }
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}
