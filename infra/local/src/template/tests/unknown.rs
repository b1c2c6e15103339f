//! Nothing that the template says is left out in silence.

use super::super::node::{Kind, Node};
use super::super::passed_over::PASSED_OVER;
use super::super::resources::SERVED;
use super::super::{Template, TemplateError};
use super::{around, project};

/// Mappings of names that the template chooses itself.
const NAMES: [&str; 14] = [
    "Authorizers",
    "Conditions",
    "Events",
    "GatewayResponses",
    "Headers",
    "Parameters",
    "Resources",
    "Rules",
    "Variables",
    "api_key_false",
    "paths",
    "requestTemplates",
    "responseParameters",
    "security",
];

/// Every mapping of properties within `node`, as the keys and indexes that lead there.
fn mappings(node: &Node, place: &[String], found: &mut Vec<Vec<String>>) {
    let key = place.last().map_or("", String::as_str);
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::List(items) => {
            for (index, item) in items.iter().enumerate().filter(|_| !NAMES.contains(&key)) {
                mappings(item, &[place, &[index.to_string()]].concat(), found);
            }
        }
        // What it gives is no mapping here.
        Kind::Map(_) if node.intrinsic().is_some() => {}
        Kind::Map(entries) => {
            if !NAMES.contains(&key) {
                found.push(place.to_vec());
            }
            for (name, value) in entries.iter().filter(|(name, value)| is_read(name, value)) {
                mappings(value, &[place, std::slice::from_ref(name)].concat(), found);
            }
        }
    }
}

/// Whether the runner reads this: neither a property nor a resource that it passes over, nor one that is left out.
fn is_read(name: &str, value: &Node) -> bool {
    let kind = value.get("Type").and_then(|kind| kind.string().ok()).filter(|kind| kind.starts_with("AWS::"));
    let passed_over = PASSED_OVER.iter().any(|(_, property, _)| *property == name);
    let served = kind.is_none_or(|kind| SERVED.contains(&kind.as_str()) && value.get("Condition").is_none());
    served && !passed_over && name != "Conditions"
}

/// The same with one more property at `place`.
fn with_surprise(node: &Node, place: &[String]) -> Node {
    let mut changed = node.clone();
    match (&mut changed.kind, place) {
        (Kind::Map(entries), []) => entries.push(("Surprise".to_owned(), Node::text(node.line, "x"))),
        (Kind::Map(entries), [key, rest @ ..]) => {
            let (_, value) = entries.iter_mut().find(|(name, _)| name == key).unwrap();
            *value = with_surprise(value, rest);
        }
        (Kind::List(items), [index, rest @ ..]) => {
            let item = &mut items[index.parse::<usize>().unwrap()];
            *item = with_surprise(item, rest);
        }
        _ => panic!("{place:?}"),
    }
    changed
}

#[test]
fn properties_neither_read_nor_passed_over_are_refused() {
    let document = Node::parse(&project()).unwrap();
    let read = |document: &Node| -> Result<Template, TemplateError> { Template::of(document, &around(&|_| None)) };
    read(&document).unwrap();
    let mut places = Vec::new();
    mappings(&document, &[], &mut places);
    assert!(places.len() > 200, "only {}", places.len());
    for place in places {
        let told = read(&with_surprise(&document, &place)).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(told.ends_with("the runner does not know Surprise here"), "{}: {told:?}", place.join("."));
    }
}
