//! The one edit of Codex's config.toml, as a piece of text put into the text there is: no other byte changes.

use toml_edit::{Document, Item, TableLike};

use super::{KEY, TABLE};

/// The text with the key set. The caller has seen that `features` is a table of some kind or missing.
pub(super) fn set(text: &str, document: &Document<&str>, on: bool) -> String {
    let Some(features) = document.get(TABLE) else { return with_table_at_the_end(text, on) };
    let table = features.as_table_like();
    if let Some(span) = table.and_then(|table| table.get(KEY)).and_then(Item::span) {
        return spliced(text, (span.start, span.end), &on.to_string());
    }
    match features {
        Item::Table(table) if table.is_dotted() => after_line(text, end_of(table), &format!("{TABLE}.{KEY} = {on}")),
        // A `features` that only `[features.sub]` made has no header of its own yet.
        Item::Table(table) if table.is_implicit() => with_table_at_the_end(text, on),
        Item::Table(table) => {
            let header = table.span().map_or(0, |span| span.start);
            after_line(text, end_of(table).max(header), &format!("{KEY} = {on}"))
        }
        Item::Value(value) => in_braces(text, value.span().map_or(text.len(), |span| span.end), on),
        Item::None | Item::ArrayOfTables(_) => text.to_owned(),
    }
}

/// Where the last value that stands in the table itself ends.
fn end_of(table: &dyn TableLike) -> usize {
    let ends = table.iter().filter_map(|(_, item)| match item {
        Item::Table(inner) if inner.is_dotted() => Some(end_of(inner)),
        Item::Value(value) => value
            .as_inline_table()
            .filter(|inner| inner.is_dotted())
            .map_or_else(|| value.span().map(|span| span.end), |inner| Some(end_of(inner))),
        Item::Table(_) | Item::ArrayOfTables(_) | Item::None => None,
    });
    ends.max().unwrap_or(0)
}

fn with_table_at_the_end(text: &str, on: bool) -> String {
    let end = ending(text);
    let gap = match text.trim_start_matches('\u{feff}') {
        "" => String::new(),
        bare if bare.ends_with('\n') => end.to_owned(),
        _ => end.repeat(2),
    };
    format!("{text}{gap}[{TABLE}]{end}{KEY} = {on}{end}")
}

/// A line of its own behind the line in which `at` stands.
fn after_line(text: &str, at: usize, line: &str) -> String {
    let end = ending(text);
    match text.get(at..).and_then(|rest| rest.find('\n')) {
        Some(offset) => spliced(text, (at + offset + 1, at + offset + 1), &format!("{line}{end}")),
        None => format!("{text}{end}{line}{end}"),
    }
}

/// Into an inline table that ends at `end`, before whatever stands before its brace.
fn in_braces(text: &str, end: usize, on: bool) -> String {
    let brace = end.saturating_sub(1);
    let before = text.get(..brace).unwrap_or_default().trim_end();
    let entry = match before.chars().last() {
        Some('{') => format!(" {KEY} = {on} "),
        Some(',') => format!(" {KEY} = {on}"),
        _ => format!(", {KEY} = {on}"),
    };
    let until = if before.ends_with('{') { brace } else { before.len() };
    spliced(text, (before.len(), until), &entry)
}

fn spliced(text: &str, (from, to): (usize, usize), piece: &str) -> String {
    format!("{}{piece}{}", text.get(..from).unwrap_or(text), text.get(to..).unwrap_or_default())
}

/// The line ending that most of the file has.
fn ending(text: &str) -> &'static str {
    if text.matches("\r\n").count() * 2 > text.matches('\n').count() { "\r\n" } else { "\n" }
}
