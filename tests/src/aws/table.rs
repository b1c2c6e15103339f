//! The table, read and manipulated through DynamoDB's API.

use serde_json::{Map, Value, json};

/// An item as plain JSON: numbers are numbers, binary values stay base64 text.
pub type Item = Map<String, Value>;

/// The table of a stack.
#[derive(Debug, Clone)]
pub struct Table {
    http: reqwest::Client,
    url: String,
    name: String,
}

impl Table {
    /// The table of a running stack, from its `dev.json`.
    pub fn of(description: &Value) -> Option<Table> {
        let read = |name: &str| description[name].as_str();
        Some(Table::new(&crate::client::http(), read("dynamodb_url")?, read("table")?))
    }

    pub(crate) fn new(http: &reqwest::Client, url: &str, name: &str) -> Table {
        Table { http: http.clone(), url: url.to_owned(), name: name.to_owned() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Calls an operation (`PutItem`, …) with a request in DynamoDB's JSON; adds `TableName`.
    pub async fn call(&self, operation: &str, request: Value) -> Value {
        self.try_call(operation, request).await.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// The same; `Err` is DynamoDB's answer.
    pub async fn try_call(&self, operation: &str, mut request: Value) -> Result<Value, String> {
        request["TableName"] = json!(self.name);
        let target = format!("DynamoDB_20120810.{operation}");
        call_aws(&self.http, &self.url, "dynamodb", &target, "application/x-amz-json-1.0", &request).await
    }

    /// Every item.
    pub async fn items(&self) -> Vec<Item> {
        self.try_items().await.unwrap_or_else(|error| panic!("Scan: {error}"))
    }

    /// Every item; `Err` says why DynamoDB does not answer.
    pub async fn try_items(&self) -> Result<Vec<Item>, String> {
        self.pages("Scan", json!({"ConsistentRead": true})).await
    }

    /// Every item with this partition key.
    pub async fn partition(&self, pk: &str) -> Vec<Item> {
        let request = json!({"ConsistentRead": true, "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}}});
        self.pages("Query", request).await.unwrap_or_else(|error| panic!("Query: {error}"))
    }

    /// Number of items with this partition key; `Err` says why DynamoDB does not answer.
    pub async fn try_count(&self, pk: &str) -> Result<usize, String> {
        let mut request = json!({"Select": "COUNT", "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": {"S": pk}}});
        let mut count = 0;
        loop {
            let page = self.try_call("Query", request.clone()).await?;
            count += page["Count"].as_u64().and_then(|count| usize::try_from(count).ok()).unwrap_or_default();
            match page.get("LastEvaluatedKey") {
                Some(last) => request["ExclusiveStartKey"] = last.clone(),
                None => return Ok(count),
            }
        }
    }

    /// One item.
    pub async fn item(&self, pk: &str, sk: &str) -> Option<Item> {
        let request = json!({"ConsistentRead": true, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}});
        self.call("GetItem", request).await.get("Item").map(plain_item)
    }

    /// Writes an item in DynamoDB's JSON without a condition.
    pub async fn put(&self, item: Value) {
        self.call("PutItem", json!({"Item": item})).await;
    }

    /// Updates one item with an update expression and values in DynamoDB's JSON (`{}`: none).
    pub async fn update(&self, pk: &str, sk: &str, expression: &str, values: Value) {
        let mut request = json!({"Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "UpdateExpression": expression});
        if values.as_object().is_some_and(|values| !values.is_empty()) {
            request["ExpressionAttributeValues"] = values;
        }
        self.call("UpdateItem", request).await;
    }

    /// Writes items in DynamoDB's JSON without a condition, 25 at a time.
    pub async fn put_all(&self, items: &[Value]) {
        for batch in items.chunks(25) {
            let puts: Vec<Value> = batch.iter().map(|item| json!({"PutRequest": {"Item": item}})).collect();
            let answer = self.call("BatchWriteItem", json!({"RequestItems": {self.name.as_str(): puts}})).await;
            assert!(answer["UnprocessedItems"].as_object().is_none_or(Map::is_empty), "left over: {answer}");
        }
    }

    /// One item in DynamoDB's JSON, to write it back changed.
    pub async fn raw_item(&self, pk: &str, sk: &str) -> Value {
        let request = json!({"ConsistentRead": true, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}});
        self.call("GetItem", request).await["Item"].take()
    }

    async fn pages(&self, operation: &str, mut request: Value) -> Result<Vec<Item>, String> {
        let mut items = Vec::new();
        loop {
            let page = self.try_call(operation, request.clone()).await?;
            items.extend(page["Items"].as_array().unwrap().iter().map(plain_item));
            match page.get("LastEvaluatedKey") {
                Some(last) => request["ExclusiveStartKey"] = last.clone(),
                None => return Ok(items),
            }
        }
    }
}

/// A JSON call to a local AWS service, with an imitated signature; `Err` is the service's answer.
pub(crate) async fn call_aws(
    http: &reqwest::Client, url: &str, service: &str, target: &str, content_type: &str, request: &Value,
) -> Result<Value, String> {
    let credential = format!("Credential=local/20260101/us-east-1/{service}/aws4_request");
    let signature = format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host;x-amz-date, Signature=0");
    let call = http.post(url).header("x-amz-target", target).header("x-amz-date", "20260101T000000Z");
    let call = call.header("authorization", signature).header("content-type", content_type);
    let answer = call.body(request.to_string()).send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("{status} {text}"));
    }
    if text.is_empty() { Ok(Value::Null) } else { serde_json::from_str(&text).map_err(|error| error.to_string()) }
}

/// An item from DynamoDB's JSON.
pub fn plain_item(item: &Value) -> Item {
    item.as_object().unwrap().iter().map(|(name, value)| (name.clone(), plain(value))).collect()
}

fn plain(value: &Value) -> Value {
    let (kind, inner) = value.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "N" => serde_json::from_str(inner.as_str().unwrap()).unwrap(),
        "M" => Value::Object(plain_item(inner)),
        "L" => inner.as_array().unwrap().iter().map(plain).collect(),
        "NULL" => Value::Null,
        _ => inner.clone(),
    }
}
