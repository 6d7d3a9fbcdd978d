//! The picker on the screen: a title, the line that is typed, the rows, the keys. Everything drawn here is harmless already.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::rows::Row;
use super::state::{At, Picker};

/// The keys, where there is room for them.
const HOST_KEYS: &str = "↑↓ move · enter connect · esc leave";
const FOLDER_KEYS: &str = "enter take · → open · ← up · esc back · ^A hidden · / or ~ a path · ^R again";
/// The most lines of a message.
const MESSAGE_LINES: u16 = 5;

/// Draws it, whatever the size.
pub(super) fn draw(frame: &mut Frame<'_>, picker: &Picker) {
    let area = frame.area();
    let message = u16::try_from(picker.message.lines().count()).unwrap_or(MESSAGE_LINES).min(MESSAGE_LINES);
    let message = if area.height > 4 + message { message } else { 0 };
    let keys = u16::from(area.height > 5);
    let title = u16::from(area.height > 2);
    let parts = [title, 1].map(Constraint::Length).into_iter().chain([Constraint::Fill(1)]);
    let parts = parts.chain([message, keys].map(Constraint::Length));
    let [title, input, rows, message, keys] = Layout::vertical(parts).areas(area);
    frame.render_widget(title_line(picker), title);
    typed(frame, picker, input);
    list(frame, picker, rows);
    frame.render_widget(Paragraph::new(picker.message.as_str()).style(coloured(picker, Color::Yellow)), message);
    let words = match picker.at {
        At::Hosts => HOST_KEYS,
        At::Folders(_) => FOLDER_KEYS,
    };
    frame.render_widget(Line::styled(words, dim()), keys);
}

/// How many rows fit on a screen of this height.
pub(super) fn page(height: u16) -> usize {
    usize::from(height.saturating_sub(3)).max(1)
}

fn dim() -> Style {
    Style::new().add_modifier(Modifier::DIM)
}

fn coloured(picker: &Picker, colour: Color) -> Style {
    if picker.colour { Style::new().fg(colour) } else { Style::new() }
}

fn title_line(picker: &Picker) -> Line<'static> {
    let (title, status) = match &picker.at {
        At::Hosts => ("Choose a host".to_owned(), String::new()),
        At::Folders(folders) => (folders.title(&picker.input), folders.status(&picker.input)),
    };
    let bold = Style::new().add_modifier(Modifier::BOLD);
    Line::from(vec![Span::styled(title, bold), Span::raw("  "), Span::styled(status, dim())])
}

fn typed(frame: &mut Frame<'_>, picker: &Picker, area: Rect) {
    let shown = crate::cli::plain::line(picker.input.text());
    let line = Line::from(vec![Span::styled("› ", coloured(picker, Color::Cyan)), Span::raw(shown)]);
    let width = u16::try_from(line.width()).unwrap_or(u16::MAX);
    // Of a long line the end is seen.
    let hidden = (width + 1).saturating_sub(area.width);
    frame.render_widget(Paragraph::new(line).scroll((0, hidden)), area);
    if area.width > 0 && area.height > 0 {
        frame.set_cursor_position(Position::new(area.x + width - hidden, area.y));
    }
}

fn list(frame: &mut Frame<'_>, picker: &Picker, area: Rect) {
    let height = usize::from(area.height);
    let first = picker.cursor.saturating_sub(height.saturating_sub(1));
    let shown = picker.rows.iter().enumerate().skip(first).take(height);
    let lines: Vec<Line<'_>> = shown.map(|(at, row)| line(picker, row, at == picker.cursor)).collect();
    if lines.is_empty() && height > 0 {
        frame.render_widget(Line::styled("  nothing matches", dim()), area);
        return;
    }
    frame.render_widget(Paragraph::new(lines), area);
}

fn line<'a>(picker: &Picker, row: &'a Row, highlighted: bool) -> Line<'a> {
    let base = if highlighted { Style::new().add_modifier(Modifier::BOLD) } else { Style::new() };
    let base = if row.trouble.is_empty() { base } else { base.add_modifier(Modifier::DIM) };
    let marked = base.patch(coloured(picker, Color::Green)).add_modifier(Modifier::UNDERLINED);
    let mut spans = vec![Span::styled(if highlighted { "› " } else { "  " }, coloured(picker, Color::Cyan))];
    for (at, letter) in row.label.chars().enumerate() {
        let style = if u32::try_from(at).is_ok_and(|at| row.marks.binary_search(&at).is_ok()) { marked } else { base };
        spans.push(Span::styled(letter.to_string(), style));
    }
    spans.push(Span::raw("  "));
    if row.trouble.is_empty() {
        spans.push(Span::styled(row.detail.as_str(), dim()));
    } else {
        spans.push(Span::styled(row.trouble, coloured(picker, Color::Red)));
    }
    Line::from(spans)
}
