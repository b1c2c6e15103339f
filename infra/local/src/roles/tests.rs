mod front;
mod guard;
mod served;

use serde_json::{Value, json};

use super::queue_call;
use super::store_call::Store;
use crate::policy::{Access, LeadingKeys, Role, Statement, is_like};
use crate::template;

const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/books";
const INDEX: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/books/index/listing";
const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:work";

fn statement(actions: &[&str], resources: &[&str], keys: Option<&[&str]>) -> Statement {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Statement { actions: owned(actions), resources: owned(resources), leading_keys: keys.map(owned) }
}

/// The role of most tests.
fn role() -> Role {
    let statements = vec![
        statement(&["dynamodb:GetItem"], &[TABLE], Some(&["mer_*#pay_*", "mer_??"])),
        statement(&["dynamodb:PutItem", "dynamodb:UpdateItem"], &[TABLE], Some(&["mer_*#pay_*", "mer_*#journal#*"])),
        statement(&["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"], &[TABLE], Some(&["mer_*#pay_*"])),
        statement(&["dynamodb:Query"], &[INDEX], Some(&["mer_*#payments#*"])),
        statement(&["dynamodb:Query"], &[TABLE], Some(&["mer_*#journal#*"])),
        statement(&["dynamodb:Scan"], &[TABLE], Some(&["nothing"])),
        statement(&["sqs:SendMessage"], &[QUEUE], None),
    ];
    Role { name: "BookkeeperRole".to_owned(), statements }
}

fn store() -> Store {
    let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
    let properties = json!({
        "KeySchema": [key("sk", "RANGE"), key("pk", "HASH")],
        "GlobalSecondaryIndexes": [{"IndexName": "listing", "KeySchema": [key("list", "HASH"), key("at", "RANGE")]}],
    });
    Store::new("us-east-1", &template::Table { name: "books".to_owned(), properties })
}

fn allowed(operation: &str, body: &Value) -> bool {
    let needs = store().needs(operation, body);
    assert!(!needs.is_empty(), "{operation} needs nothing");
    needs.iter().all(|access| role().allows(access).is_some())
}

fn key(pk: &str) -> Value {
    json!({"pk": {"S": pk}, "sk": {"S": "any"}})
}

#[test]
fn without_an_allowing_statement_access_is_denied() {
    assert!(!allowed("DeleteItem", &json!({"TableName": "books", "Key": key("mer_1#pay_1")})));
    assert!(!allowed("ExecuteStatement", &json!({"Statement": "SELECT * FROM books"})));
    assert!(!allowed("", &Value::Null));
    assert_eq!(Role::bare("none").allows(&Access::new("sqs:SendMessage", QUEUE)), None);
}

#[test]
fn the_key_must_match_a_pattern_of_the_same_statement() {
    let cases = [
        ("GetItem", "mer_1#pay_1", true),
        ("GetItem", "mer_ab", true),
        ("GetItem", "mer_abc", false),
        ("GetItem", "mer_1#journal#0", false),
        ("GetItem", "xmer_1#pay_1", false),
        ("GetItem", "MER_1#pay_1", false),
        ("UpdateItem", "mer_1#journal#0", true),
        ("UpdateItem", "mer_ab", false),
    ];
    for (operation, pk, expected) in cases {
        assert_eq!(allowed(operation, &json!({"TableName": "books", "Key": key(pk)})), expected, "{operation} {pk}");
    }
    assert!(allowed("PutItem", &json!({"TableName": "books", "Item": key("mer_1#pay_1")})));
    assert!(!allowed("PutItem", &json!({"TableName": "books", "Item": key("key#1")})));
}

#[test]
fn another_table_is_another_resource_by_its_name_and_by_its_arn() {
    let body = |table: &str| json!({"TableName": table, "Key": key("mer_1#pay_1")});
    assert!(allowed("GetItem", &body("books")) && allowed("GetItem", &body(TABLE)));
    assert!(
        !allowed("GetItem", &body("book")) && !allowed("GetItem", &body("arn:aws:dynamodb:eu-west-1:0:table/books"))
    );
    assert!(!allowed("GetItem", &json!({"Key": key("mer_1#pay_1")})));
}

#[test]
fn an_unknown_key_is_denied_by_a_condition_on_keys() {
    for item in [json!({"pk": {"B": "bWVy"}}), json!({"pk": "mer_1#pay_1"}), json!({"sk": {"S": "a"}}), Value::Null] {
        assert!(!allowed("GetItem", &json!({"TableName": "books", "Key": item})), "{item}");
    }
}

fn query(condition: &str, index: Option<&str>) -> Value {
    let mut query = json!({
        "TableName": "books",
        "KeyConditionExpression": condition,
        "ExpressionAttributeNames": {"#key": "pk", "#list": "list", "#sort": "sk"},
        "ExpressionAttributeValues": {":journal": {"S": "mer_1#journal#0"}, ":payments": {"S": "mer_1#payments#0"}},
    });
    if let Some(index) = index {
        query["IndexName"] = index.into();
    }
    query
}

#[test]
fn a_query_needs_the_key_of_its_condition() {
    let cases = [
        ("pk = :journal", None, true),
        ("#key=:journal AND begins_with(sk, :payments)", None, true),
        ("begins_with(#sort, :payments) and (#key = :journal)", None, true),
        ("sk BETWEEN :payments AND :payments AND pk = :journal", None, true),
        ("pk = :payments", None, false),
        ("sk = :journal AND pk = :payments", None, false),
        ("sk <= :journal AND pk = :payments", None, false),
        ("sk = :journal", None, false),
        ("pk = :unknown", None, false),
        ("pk =", None, false),
        // An index has a key of its own, and is a resource of its own.
        ("list = :payments AND at > :journal", Some("listing"), true),
        ("#list = :payments", Some("listing"), true),
        ("list = :journal", Some("listing"), false),
        ("pk = :payments", Some("listing"), false),
        ("list = :payments", Some("due"), false),
        ("list = :payments", None, false),
    ];
    for (condition, index, expected) in cases {
        assert_eq!(allowed("Query", &query(condition, index)), expected, "{condition} of {index:?}");
    }
    // The legacy parameters are not read, so they are denied.
    let older = json!({"TableName": "books", "KeyConditions": {"pk": {"ComparisonOperator": "EQ"}}});
    assert!(!allowed("Query", &older));
}

#[test]
fn one_foreign_key_denies_a_whole_batch() {
    let get = |keys: &[&str]| {
        let keys: Vec<Value> = keys.iter().map(|pk| key(pk)).collect();
        json!({"RequestItems": {"books": {"Keys": keys}}})
    };
    assert!(allowed("BatchGetItem", &get(&["mer_1#pay_1", "mer_2#pay_2"])));
    assert!(!allowed("BatchGetItem", &get(&["mer_1#pay_1", "key#1"])));
    let write = |pk: &str| {
        let put = json!({"PutRequest": {"Item": key("mer_1#pay_1")}});
        json!({"RequestItems": {"books": [put, {"DeleteRequest": {"Key": key(pk)}}]}})
    };
    assert!(allowed("BatchWriteItem", &write("mer_1#pay_2")));
    assert!(!allowed("BatchWriteItem", &write("mer_1#journal#0")));
    let mut two = get(&["mer_1#pay_1"]);
    two["RequestItems"]["other"] = two["RequestItems"]["books"].clone();
    assert!(!allowed("BatchGetItem", &two));
}

#[test]
fn a_transaction_needs_each_action_on_all_its_keys() {
    let part = |kind: &str, pk: &str| {
        let what = if kind == "Put" { "Item" } else { "Key" };
        json!({kind: {"TableName": "books", what: key(pk)}})
    };
    let write = |parts: &[Value]| json!({"TransactItems": parts});
    let update = part("Update", "mer_1#pay_1");
    assert!(allowed("TransactWriteItems", &write(&[update.clone(), part("Put", "mer_1#journal#0")])));
    assert!(!allowed("TransactWriteItems", &write(&[update.clone(), part("Put", "mer_ab")])));
    assert!(!allowed("TransactWriteItems", &write(&[update.clone(), part("Delete", "mer_1#pay_1")])));
    assert!(!allowed("TransactWriteItems", &write(&[update.clone(), part("ConditionCheck", "mer_1#pay_1")])));
    let needs = store().needs("TransactWriteItems", &write(&[part("ConditionCheck", "a"), part("Put", "b"), update]));
    let actions: Vec<&str> = needs.iter().map(|access| access.action.as_str()).collect();
    assert_eq!(actions, ["dynamodb:ConditionCheckItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]);
    let all = ["a", "b", "mer_1#pay_1"].map(str::to_owned);
    assert!(needs.iter().all(|access| access.leading_keys == LeadingKeys::Known(all.to_vec())), "{needs:?}");
    assert!(allowed("TransactGetItems", &write(&[part("Get", "mer_1#pay_1"), part("Get", "mer_ab")])));
    assert!(!allowed("TransactGetItems", &write(&[part("Get", "mer_1#pay_1"), part("Get", "key#1")])));
}

#[test]
fn a_condition_on_keys_allows_a_call_without_keys() {
    assert!(allowed("Scan", &json!({"TableName": "books"})));
    assert!(!allowed("Scan", &json!({"TableName": "books", "IndexName": "listing"})));
}

#[test]
fn keys_of_one_call_need_one_statement() {
    let statements = ["a*", "b*"].map(|keys| statement(&["dynamodb:BatchGetItem"], &[TABLE], Some(&[keys])));
    let role = Role { name: "r".to_owned(), statements: statements.to_vec() };
    let access = |keys: &[&str]| Access {
        leading_keys: LeadingKeys::Known(keys.iter().map(|key| (*key).to_owned()).collect()),
        ..Access::new("dynamodb:BatchGetItem", TABLE)
    };
    assert_eq!(role.allows(&access(&["a1", "a2"])).map(|allowed| allowed.statement), Some(0));
    assert_eq!(role.allows(&access(&["b1"])).map(|allowed| allowed.statement), Some(1));
    assert_eq!(role.allows(&access(&["a1", "b1"])), None);
}

#[test]
fn a_batch_needs_the_action_of_its_entries() {
    let url = json!({"QueueUrl": "http://127.0.0.1:9324/000000000000/work"});
    let needs = |operation: &str| queue_call::needs("us-east-1", operation, &url);
    assert_eq!(needs("SendMessage"), [Access::new("sqs:SendMessage", QUEUE)]);
    assert_eq!(needs("SendMessageBatch"), [Access::new("sqs:SendMessage", QUEUE)]);
    assert_eq!(needs("DeleteMessageBatch"), [Access::new("sqs:DeleteMessage", QUEUE)]);
    assert!(role().allows(&needs("SendMessageBatch")[0]).is_some());
    assert!(role().allows(&needs("ReceiveMessage")[0]).is_none());
    let other = json!({"QueueUrl": "http://127.0.0.1:9324/000000000000/work2"});
    assert!(role().allows(&queue_call::needs("us-east-1", "SendMessage", &other)[0]).is_none());
}

#[test]
fn patterns_are_those_of_iam() {
    let cases = [
        ("", "", true),
        ("", "*", true),
        ("", "?", false),
        ("abc", "abc", true),
        ("abc", "ab", false),
        ("ab", "abc", false),
        ("abc", "a?c", true),
        ("abc", "a*", true),
        ("abc", "*c", true),
        ("abc", "*b", false),
        ("aXbXc", "a*b*c", true),
        ("abab", "*ab", true),
        ("mer_1#test#pay_1", "mer_*#pay_*", true),
        ("mer_1#pay", "mer_*#pay_*", false),
        ("a.c", "a.c", true),
        ("abc", "a.c", false),
        ("a*c", "a*c", true),
    ];
    for (text, pattern, expected) in cases {
        assert_eq!(is_like(text, pattern), expected, "{text} like {pattern}");
    }
}
