//! The comparison of two OpenAPI documents: the changes that break a client of the first.
//!
//! A request that was accepted must be accepted, and an answer must have what it had. An answer may get new fields, new
//! values of an enumeration and new problems, because clients must ignore what they do not know.

use serde_json::Value;

/// The breaking changes from `before` to `now`, each as a sentence.
pub fn breaking_changes(before: &Value, now: &Value) -> Vec<String> {
    let mut found = Found { before, now, changes: Vec::new() };
    for (path, operations) in entries(&before["paths"]) {
        for (method, operation) in entries(operations) {
            let name = format!("{} {path}", method.to_uppercase());
            match now["paths"][path].get(method) {
                Some(kept) => found.operation(&name, operation, kept),
                None => found.add(format!("{name} is gone")),
            }
        }
    }
    for (name, webhook) in entries(&before["webhooks"]) {
        let name = format!("the webhook {name}");
        match now["webhooks"].get(name.trim_start_matches("the webhook ")) {
            Some(kept) => {
                found.shown(&name, schema(&webhook["post"]["requestBody"]), schema(&kept["post"]["requestBody"]))
            }
            None => found.add(format!("{name} is gone")),
        }
    }
    found.changes
}

/// Whether a schema describes what a client sends, or what it is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Sent,
    Shown,
}

struct Found<'a> {
    before: &'a Value,
    now: &'a Value,
    changes: Vec<String>,
}

impl<'a> Found<'a> {
    fn add(&mut self, change: String) {
        self.changes.push(change);
    }

    fn operation(&mut self, name: &str, before: &'a Value, now: &'a Value) {
        let parameters = |operation: &'a Value| operation["parameters"].as_array().into_iter().flatten();
        for parameter in parameters(before) {
            let title = parameter["name"].as_str().unwrap_or_default();
            match parameters(now).find(|kept| kept["name"] == parameter["name"] && kept["in"] == parameter["in"]) {
                Some(kept) => {
                    let place = format!("{name} {title}");
                    self.compare(Side::Sent, &place, &parameter["schema"], &kept["schema"]);
                }
                None => self.add(format!("{name}: the parameter {title} is gone")),
            }
        }
        let needed = |operation: &'a Value| parameters(operation).filter(|parameter| parameter["required"] == true);
        for parameter in needed(now) {
            let title = &parameter["name"];
            if !needed(before).any(|known| known["name"] == *title) {
                self.add(format!("{name}: {} is required now", title.as_str().unwrap_or_default()));
            }
        }
        self.compare(Side::Sent, &format!("{name} body"), schema(&before["requestBody"]), schema(&now["requestBody"]));
        for (status, answer) in entries(&before["responses"]).filter(|(status, _)| status.starts_with('2')) {
            let Some(kept) = now["responses"].get(status) else {
                self.add(format!("{name}: the answer {status} is gone"));
                continue;
            };
            let place = format!("{name} {status}");
            for (header, _) in entries(&answer["headers"]) {
                if kept["headers"].get(header).is_none() {
                    self.add(format!("{place}: the header {header} is gone"));
                }
            }
            self.shown(&place, schema(answer), schema(kept));
        }
    }

    fn shown(&mut self, place: &str, before: &'a Value, now: &'a Value) {
        self.compare(Side::Shown, place, before, now);
    }

    fn compare(&mut self, side: Side, place: &str, before: &'a Value, now: &'a Value) {
        let (before, now) = (resolved(self.before, before), resolved(self.now, now));
        self.compare_types(side, place, before, now);
        self.compare_values(side, place, before, now);
        self.compare_bounds(side, place, before, now);
        let names = |schema: &'a Value| schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let (more, fewer, said) = match side {
            Side::Sent => (now, before, "is required now"),
            Side::Shown => (before, now, "may be missing now"),
        };
        let properties = &now["properties"];
        for (name, property) in entries(&before["properties"]) {
            match properties.get(name) {
                Some(kept) => self.compare(side, &format!("{place}.{name}"), property, kept),
                None => self.add(format!("{place}: {name} is gone")),
            }
        }
        for name in names(more).filter(|name| !names(fewer).any(|known| known == *name)) {
            if properties.get(name).is_some() {
                self.add(format!("{place}: {name} {said}"));
            }
        }
        if before.get("items").is_some() {
            self.compare(side, &format!("{place}[]"), &before["items"], &now["items"]);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            self.compare_alternatives(side, place, &before[key], &now[key]);
        }
    }

    /// A client may send each type that it could send, and is shown no type that it was not shown.
    fn compare_types(&mut self, side: Side, place: &str, before: &Value, now: &Value) {
        let types = |schema: &Value| match &schema["type"] {
            Value::Array(types) => types.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        let (before, after) = (types(before), types(now));
        let is_kept = match side {
            Side::Sent => after.is_empty() || before.iter().all(|one| after.contains(one)),
            Side::Shown => before.is_empty() || after.iter().all(|one| before.contains(one)) && !after.is_empty(),
        };
        if !is_kept {
            self.add(format!("{place}: the type is {} now", now["type"]));
        }
    }

    /// A client may send each value of an enumeration that it could send.
    fn compare_values(&mut self, side: Side, place: &str, before: &Value, now: &Value) {
        let values = |schema: &Value| match (&schema["enum"], schema.get("const")) {
            (Value::Array(values), _) => values.clone(),
            (_, Some(one)) => vec![one.clone()],
            _ => Vec::new(),
        };
        let (before, now) = (values(before), values(now));
        if side == Side::Sent && !now.is_empty() {
            for gone in before.iter().filter(|value| !now.contains(value)) {
                self.add(format!("{place}: {gone} is gone"));
            }
        }
    }

    /// Bounds of what is sent get no narrower, bounds of what is shown no wider. A pattern or format stays.
    fn compare_bounds(&mut self, side: Side, place: &str, before: &Value, now: &Value) {
        let (strict, loose) = match side {
            Side::Sent => (now, before),
            Side::Shown => (before, now),
        };
        for (keys, is_lower) in
            [(["minimum", "minLength", "minItems"], true), (["maximum", "maxLength", "maxItems"], false)]
        {
            for key in keys {
                let Some(bound) = strict[key].as_i64() else { continue };
                let holds = loose[key].as_i64().is_some_and(|at| if is_lower { at >= bound } else { at <= bound });
                match now.get(key) {
                    _ if holds => {}
                    Some(bound) => self.add(format!("{place}: {key} is {bound} now")),
                    None => self.add(format!("{place}: {key} is gone")),
                }
            }
        }
        for key in ["pattern", "format"] {
            if strict.get(key).is_some() && strict[key] != loose[key] {
                self.add(format!("{place}: the {key} is {} now", now[key]));
            }
        }
    }

    /// Each alternative of the narrower side is one of the wider side.
    fn compare_alternatives(&mut self, side: Side, place: &str, before: &'a Value, now: &'a Value) {
        let list = |schemas: &'a Value| schemas.as_array().map(Vec::as_slice).unwrap_or_default();
        let (before, after) = (list(before), list(now));
        let fits = |before: &'a Value, now: &'a Value| {
            let mut found = Found { before: self.before, now: self.now, changes: Vec::new() };
            found.compare(side, place, before, now);
            found.changes.is_empty()
        };
        let all_fit = match side {
            Side::Sent => before.iter().all(|one| after.iter().any(|other| fits(one, other))),
            Side::Shown => after.iter().all(|one| before.iter().any(|other| fits(other, one))),
        };
        if !all_fit || before.is_empty() != after.is_empty() {
            self.add(format!("{place}: the alternatives are {now} now"));
        }
    }
}

/// The entries of an object. Empty for any other value.
fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The schema of a body, or null.
fn schema(body: &Value) -> &Value {
    entries(&body["content"]).next().map_or(&Value::Null, |(_, content)| &content["schema"])
}

/// The schema behind its reference.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|reference| document.pointer(reference.trim_start_matches('#')));
    target.map_or(schema, |target| resolved(document, target))
}
