//! The form of an MCP server's question: its fields, and the content that a person's words make of it.
//!
//! Source: `McpElicitationSchema` of `codex app-server generate-ts`, 0.169.0; MCP 2025-11-25, `ElicitRequestFormParams`.

use serde_json::{Map, Value};

/// One field.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its key in the content.
    pub name: String,
    /// What the server calls it; empty when it has no other name.
    pub title: String,
    /// What the server says of it.
    pub description: String,
    /// Whether there is no answer without it.
    pub required: bool,
    /// What it holds when nobody fills it.
    pub default: Option<Value>,
    /// What it takes.
    pub kind: Kind,
}

/// What a field takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A whole number.
    Whole,
    /// A number.
    Number,
    /// Yes or no.
    YesNo,
    /// One of these.
    One(Vec<Choice>),
    /// Any of these.
    Some(Vec<Choice>),
    /// What the schema does not say in a way we know: JSON, or else a text.
    Other,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What is sent.
    pub value: String,
    /// What it is called.
    pub title: String,
}

/// The fields of a schema, in its order; none of what is not one.
#[must_use]
pub fn fields(schema: &Value) -> Vec<Field> {
    let required: Vec<&str> = strings(schema, "required").collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(name, of)| field(name, of, required.contains(&name.as_str()))).collect()
}

fn field(name: &str, of: &Value, required: bool) -> Field {
    let text = |key: &str| of.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let default = of.get("default").filter(|value| !value.is_null()).cloned();
    Field { name: name.to_owned(), title: text("title"), description: text("description"), required, default, kind: kind(of) }
}

fn kind(of: &Value) -> Kind {
    let choices = choices(of, "oneOf");
    match of.get("type").and_then(Value::as_str) {
        Some("string") if !choices.is_empty() => Kind::One(choices),
        Some("string") => Kind::Text,
        Some("integer") => Kind::Whole,
        Some("number") => Kind::Number,
        Some("boolean") => Kind::YesNo,
        Some("array") => {
            let choices = of.get("items").map(|items| self::choices(items, "anyOf")).unwrap_or_default();
            if choices.is_empty() { Kind::Other } else { Kind::Some(choices) }
        }
        Some(_) | None => Kind::Other,
    }
}

/// The choices with titles below `titled`, else those of `enum`, whose titles may stand in `enumNames`.
fn choices(of: &Value, titled: &str) -> Vec<Choice> {
    let text = |choice: &Value, key: &str| choice.get(key).and_then(Value::as_str).map(str::to_owned);
    if let Some(list) = of.get(titled).and_then(Value::as_array) {
        let read = |choice| {
            let value: String = text(choice, "const")?;
            Some(Choice { title: text(choice, "title").unwrap_or_else(|| value.clone()), value })
        };
        return list.iter().filter_map(read).collect();
    }
    let mut names = strings(of, "enumNames");
    strings(of, "enum").map(|value| Choice { value: value.to_owned(), title: names.next().unwrap_or(value).to_owned() }).collect()
}

fn strings<'a>(of: &'a Value, key: &str) -> impl Iterator<Item = &'a str> {
    of.get(key).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// What a person gave does not make an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// There is no field of this name.
    NoField(String),
    /// This field is needed.
    Missing(String),
    /// These words are not what the field takes.
    Words {
        /// The field.
        name: String,
        /// The words.
        words: String,
    },
}

/// The content of an answer; a field that is not given holds its default, or nothing.
///
/// # Errors
/// The first thing that does not fit.
pub fn content(fields: &[Field], given: &[(String, String)]) -> Result<Value, Unfit> {
    if let Some((name, _)) = given.iter().find(|(name, _)| fields.iter().all(|field| field.name != *name)) {
        return Err(Unfit::NoField(name.clone()));
    }
    let mut content = Map::new();
    for field in fields {
        let words = given.iter().find(|(name, _)| *name == field.name).map(|(_, words)| words);
        let value = match words {
            Some(words) => Some(field.read(words).ok_or_else(|| unfit(field, words))?),
            None => field.default.clone(),
        };
        match value {
            Some(value) => drop(content.insert(field.name.clone(), value)),
            None if field.required => return Err(Unfit::Missing(field.name.clone())),
            None => {}
        }
    }
    Ok(Value::Object(content))
}

fn unfit(field: &Field, words: &str) -> Unfit {
    Unfit::Words { name: field.name.clone(), words: words.to_owned() }
}

impl Field {
    /// The value that words mean here.
    fn read(&self, words: &str) -> Option<Value> {
        match &self.kind {
            Kind::Text => Some(Value::from(words)),
            Kind::Whole => words.trim().parse::<i64>().ok().map(Value::from),
            Kind::Number => words.trim().parse::<f64>().ok().filter(|n| n.is_finite()).map(Value::from),
            Kind::YesNo => yes_or_no(words.trim()).map(Value::from),
            Kind::One(choices) => chosen(choices, words.trim()).map(Value::from),
            Kind::Some(choices) => {
                let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
                words.map(|word| chosen(choices, word).map(Value::from)).collect::<Option<Vec<Value>>>().map(Value::from)
            }
            Kind::Other => Some(serde_json::from_str(words).unwrap_or_else(|_| Value::from(words))),
        }
    }
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" => Some(true),
        "no" | "n" | "false" => Some(false),
        _ => None,
    }
}

/// A choice by its value, its title, or its number.
fn chosen<'a>(choices: &'a [Choice], word: &str) -> Option<&'a str> {
    let by_value = choices.iter().find(|choice| choice.value == word);
    let by_title = || choices.iter().find(|choice| choice.title.eq_ignore_ascii_case(word));
    let by_number = || word.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    by_value.or_else(by_title).or_else(by_number).map(|choice| choice.value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn form() -> Vec<Field> {
        fields(&json!({"type": "object", "required": ["who", "size"], "properties": {
            "who": {"type": "string", "title": "Name", "description": "who it is for"},
            "size": {"type": "string", "oneOf": [{"const": "s", "title": "Small"}, {"const": "l", "title": "Large"}]},
            "colour": {"type": "string", "enum": ["r", "b"], "enumNames": ["Red"]},
            "tags": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "First"}, {"const": "b"}]}},
            "count": {"type": "integer", "default": 3},
            "share": {"type": "number"},
            "sure": {"type": "boolean"},
            "odd": {"type": ["string", "null"]},
        }}))
    }

    #[test]
    fn words_become_what_the_schema_asks_for() {
        for (name, words, value) in [
            ("who", " a b ", Some(json!(" a b "))),
            ("size", "l", Some(json!("l"))),
            ("size", "small", Some(json!("s"))),
            ("size", "2", Some(json!("l"))),
            ("size", "3", None),
            ("colour", "Red", Some(json!("r"))),
            ("colour", "b", Some(json!("b"))),
            ("tags", "first, b", Some(json!(["a", "b"]))),
            ("tags", "", Some(json!([]))),
            ("tags", "c", None),
            ("count", "-7", Some(json!(-7))),
            ("count", "1.5", None),
            ("share", "1.5", Some(json!(1.5))),
            ("share", "inf", None),
            ("sure", "Yes", Some(json!(true))),
            ("sure", "maybe", None),
            ("odd", "{\"a\":1}", Some(json!({"a": 1}))),
            ("odd", "words", Some(json!("words"))),
        ] {
            let form = form();
            let field = form.iter().find(|field| field.name == name).expect("a field");
            assert_eq!(field.read(words), value, "{name}={words}");
        }
    }

    #[test]
    fn a_form_is_whole_or_says_what_is_missing() {
        let given = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, words)| ((*name).to_owned(), (*words).to_owned())).collect()
        };
        let whole = content(&form(), &given(&[("who", "me"), ("size", "s")]));
        assert_eq!(whole, Ok(json!({"who": "me", "size": "s", "count": 3})));
        assert_eq!(content(&form(), &given(&[("who", "me")])), Err(Unfit::Missing("size".into())));
        assert_eq!(content(&form(), &given(&[("hwo", "me")])), Err(Unfit::NoField("hwo".into())));
        let words = Err(Unfit::Words { name: "size".into(), words: "x".into() });
        assert_eq!(content(&form(), &given(&[("who", "me"), ("size", "x")])), words);
        assert_eq!(content(&[], &[]), Ok(json!({})));
    }

    proptest! {
        #[test]
        fn any_schema_is_read(text in "[\\PC]{0,40}", key in "(type|enum|oneOf|anyOf|items|default|required|properties)") {
            let leaf = serde_json::from_str::<Value>(&text).unwrap_or_else(|_| Value::from(text.clone()));
            let of = Value::Object(Map::from_iter([(key.clone(), leaf)]));
            for schema in [json!({"properties": {"a": of.clone()}, "required": of.clone()}), of] {
                drop(content(&fields(&schema), &[("a".to_owned(), text.clone())]));
            }
        }
    }
}
