//! The schemas of requests: the fields of a body, the parameters of a query, the ids of a path.

use serde_json::{Map, Value, json};
use spillway_wire::contract::{FieldKind, FieldSpec, PathIdSpec, QueryKind, QuerySpec};
use spillway_wire::view::id_pattern;

/// The pattern of a text without control characters.
const PLAIN: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// A body with these fields, and an example with all of them.
pub fn body(fields: &[FieldSpec]) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), property(field))).collect();
    let required: Vec<&str> = fields.iter().filter(|field| field.is_required).map(|field| field.name).collect();
    let example: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), example(field))).collect();
    let schema = json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    json!({
        "required": true,
        "description": "A JSON object of at most 65,536 bytes. Unknown fields and repeated keys are refused.",
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}

fn example(field: &FieldSpec) -> Value {
    serde_json::from_str(field.example).unwrap_or_default()
}

fn property(field: &FieldSpec) -> Value {
    let mut schema = match field.kind {
        FieldKind::Integer(range) => {
            json!({"type": "integer", "format": "int64", "minimum": range.least, "maximum": range.most})
        }
        FieldKind::Flag => json!({"type": "boolean"}),
        FieldKind::Text(text) => {
            let mut schema = json!({"type": "string", "minLength": 1, "maxLength": text.length_max, "pattern": PLAIN});
            if !text.pattern.is_empty() {
                schema["pattern"] = json!(text.pattern);
            }
            if !text.format.is_empty() {
                schema["format"] = json!(text.format);
            }
            schema
        }
        FieldKind::OneOf(words) => json!({"type": "string", "enum": words()}),
        FieldKind::List(list) => json!({
            "type": "array",
            "minItems": 1,
            "maxItems": list.count_max,
            "items": {"type": "string", "enum": (list.words)()},
        }),
        FieldKind::Metadata => json!({
            "type": "object",
            "maxProperties": 50,
            "propertyNames": {"minLength": 1, "maxLength": 40, "pattern": PLAIN},
            "additionalProperties": {"type": "string", "maxLength": 500, "pattern": PLAIN},
        }),
    };
    if !field.is_required {
        schema["type"] = json!([schema["type"], "null"]);
        if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            words.push(Value::Null);
        }
    }
    schema["description"] = json!(field.about);
    schema["examples"] = json!([example(field)]);
    schema
}

/// The parameter object of a query parameter.
pub fn query(parameter: &QuerySpec) -> Value {
    let schema = match parameter.kind {
        QueryKind::Integer { least, most, default } => {
            json!({"type": "integer", "minimum": least, "maximum": most, "default": default})
        }
        QueryKind::Cursor => json!({"type": "string", "minLength": 1}),
        QueryKind::Time => json!({"type": "string", "format": "date-time"}),
        QueryKind::Currency => json!({"type": "string", "pattern": "^[A-Z]{3}$"}),
        QueryKind::OneOf(words) => json!({"type": "string", "enum": words()}),
        QueryKind::Text { length_max } => {
            json!({"type": "string", "minLength": 1, "maxLength": length_max, "pattern": PLAIN})
        }
    };
    json!({"name": parameter.name, "in": "query", "description": parameter.about, "schema": schema})
}

/// The parameter object of an id in the path.
pub fn path_id(id: &PathIdSpec) -> Value {
    json!({
        "name": id.name,
        "in": "path",
        "required": true,
        "description": format!("The id of the {0}. The answer is 404 if the merchant has no {0} with this id.", id.object),
        "schema": {"type": "string", "pattern": id_pattern(id.prefix)},
    })
}
