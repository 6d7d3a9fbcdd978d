//! The form of an MCP server's question: how it is shown, filled in on the terminal, or given as words.

use serde_json::Value;

use super::questions::{Typed, line};
use crate::app_server::protocol::form::{self, Choice, Field, Kind, Unfit};
use crate::cli::plain;
use crate::cli::screen::Screen;
use crate::failure::{Code, Failure};

/// The fields, a line each.
#[must_use]
pub fn shown(fields: &[Field]) -> String {
    fields.iter().map(|field| format!("\n  · {}", field_line(field))).collect()
}

fn field_line(field: &Field) -> String {
    let says = [&field.title, &field.description];
    let says: Vec<String> = says.into_iter().filter(|text| !text.is_empty()).map(|text| plain::line(text)).collect();
    let says = if says.is_empty() { String::new() } else { format!(" ({})", says.join(": ")) };
    let left_out = match (&field.default, field.required) {
        (Some(default), _) => format!("; {} if left out", plain::json(default)),
        (None, false) => "; may be left out".to_owned(),
        (None, true) => String::new(),
    };
    format!("{}{says}: {}{left_out}", plain::line(&field.name), takes(&field.kind))
}

fn takes(kind: &Kind) -> String {
    match kind {
        Kind::Text => "a text".to_owned(),
        Kind::Whole => "a whole number".to_owned(),
        Kind::Number => "a number".to_owned(),
        Kind::YesNo => "yes or no".to_owned(),
        Kind::One(choices) => titles(choices, " | "),
        Kind::Some(choices) => format!("some of {}", titles(choices, ", ")),
        Kind::Other => "JSON or a text".to_owned(),
    }
}

fn titles(choices: &[Choice], between: &str) -> String {
    choices.iter().map(|choice| plain::line(&choice.title)).collect::<Vec<_>>().join(between)
}

fn unfit(unfit: &Unfit) -> String {
    match unfit {
        Unfit::NoField(name) => format!("the form has no field '{}'", plain::line(name)),
        Unfit::Missing(name) => format!("'{}' is needed", plain::line(name)),
        Unfit::Words { name, words } => format!("'{}' is not what '{}' takes", plain::line(words), plain::line(name)),
    }
}

/// Asks for each field in turn until what is typed fits; an empty line leaves one out that may be.
///
/// # Errors
/// [`Code::LocalIo`] when what fits one by one makes no form.
pub async fn ask(fields: &[Field], screen: &Screen) -> Result<Typed<Value>, Failure> {
    let mut given: Vec<(String, String)> = Vec::new();
    for field in fields {
        screen.note(&format!("\n? {}", field_line(field)));
        loop {
            let typed = match line("  answer: ").await {
                Typed::Given(typed) => typed,
                Typed::Interrupt => return Ok(Typed::Interrupt),
                Typed::Leave => return Ok(Typed::Leave),
                Typed::End => return Ok(Typed::End),
            };
            let words: Vec<(String, String)> =
                Some((field.name.clone(), typed.clone())).filter(|_| !typed.is_empty()).into_iter().collect();
            match form::content(std::slice::from_ref(field), &words) {
                Ok(_) => break given.extend(words),
                Err(error) => screen.note(&format!("  {}", unfit(&error))),
            }
        }
    }
    let content = form::content(fields, &given);
    content.map(Typed::Given).map_err(|error| Failure::new(Code::LocalIo, "fill in the form").said(unfit(&error)))
}

/// The content that words make, `NAME=VALUE` each; where there is one field the value alone will do.
///
/// # Errors
/// [`Code::Usage`] with the fields there are.
pub fn read(fields: &[Field], words: &[String], thread: &str) -> Result<Value, Failure> {
    let fail = |said: String| {
        Failure::new(Code::Usage, format!("answer {thread}"))
            .said(format!("{said}; it asks for{}", shown(fields)))
            .hint(format!("outpost thread answer {thread} NAME=VALUE …"))
    };
    let mut given = Vec::new();
    for word in words {
        let named = word.split_once('=').filter(|(name, _)| fields.iter().any(|field| field.name == *name));
        given.push(match (named, fields) {
            (Some((name, value)), _) => (name.to_owned(), value.to_owned()),
            (None, [only]) if words.len() == 1 => (only.name.clone(), word.clone()),
            (None, _) => match word.split_once('=') {
                Some((name, _)) => return Err(fail(unfit(&Unfit::NoField(name.to_owned())))),
                None => return Err(fail(format!("'{}' is no NAME=VALUE", plain::line(word)))),
            },
        });
    }
    form::content(fields, &given).map_err(|error| fail(unfit(&error)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fields() -> Vec<Field> {
        form::fields(&json!({"required": ["who", "size"], "properties": {
            "who": {"type": "string", "title": "Name", "description": "who it is\u{1b}[2J for"},
            "size": {"type": "string", "enum": ["s", "l"], "enumNames": ["Small", "Large"]},
            "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
            "count": {"type": "integer", "default": 3},
        }}))
    }

    #[test]
    fn a_form_reads_as_lines() {
        insta::assert_snapshot!(shown(&fields()), @r"
        · who (Name: who it is␛[2J for): a text
        · size: Small | Large
        · tags: some of a, b; may be left out
        · count: a whole number; 3 if left out
        ");
    }

    #[test]
    fn words_are_named_or_alone() {
        let words = |words: &[&str]| -> Vec<String> { words.iter().map(|word| (*word).to_owned()).collect() };
        let given = read(&fields(), &words(&["size=large", "who=a=b"]), "devbox:01").expect("it fits");
        assert_eq!(given, json!({"who": "a=b", "size": "l", "count": 3}));
        let one = form::fields(&json!({"properties": {"it": {"type": "string"}}}));
        assert_eq!(read(&one, &words(&["a=b"]), "devbox:01").expect("it fits"), json!({"it": "a=b"}));
        assert_eq!(read(&one, &words(&["it=b"]), "devbox:01").expect("it fits"), json!({"it": "b"}));
        let wrong = [&["who=me"][..], &["who=me", "size=x"], &["me"], &["hwo=me"]];
        let told = wrong.map(|wrong| read(&fields(), &words(wrong), "devbox:01").expect_err("it does not fit").to_string());
        insta::assert_snapshot!(told.join("\n---\n"), @r"
        answer devbox:01: 'size' is needed; it asks for
          · who (Name: who it is␛[2J for): a text
          · size: Small | Large
          · tags: some of a, b; may be left out
          · count: a whole number; 3 if left out
        ---
        answer devbox:01: 'x' is not what 'size' takes; it asks for
          · who (Name: who it is␛[2J for): a text
          · size: Small | Large
          · tags: some of a, b; may be left out
          · count: a whole number; 3 if left out
        ---
        answer devbox:01: 'me' is no NAME=VALUE; it asks for
          · who (Name: who it is␛[2J for): a text
          · size: Small | Large
          · tags: some of a, b; may be left out
          · count: a whole number; 3 if left out
        ---
        answer devbox:01: the form has no field 'hwo'; it asks for
          · who (Name: who it is␛[2J for): a text
          · size: Small | Large
          · tags: some of a, b; may be left out
          · count: a whole number; 3 if left out
        ");
    }
}
