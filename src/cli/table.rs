//! Columns for people: padded to the widest cell, the last one as it is.

use unicode_width::UnicodeWidthStr;

/// The lines of a table; cells must already be harmless and on one line.
#[must_use]
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widest = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            line.push_str(&" ".repeat(width.saturating_sub(cell.width()) + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A text cut to a width, with `…` where something is missing.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    for c in text.chars() {
        if out.width() + unicode_width::UnicodeWidthChar::width(c).unwrap_or(0) >= width {
            break;
        }
        out.push(c);
    }
    out + "…"
}

/// A text cut to a width in its middle: of a path the beginning says where, the end says what.
#[must_use]
pub fn middle(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let of = |c: &char| unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
    let within = |most: usize| {
        let mut used = 0;
        move |c: &char| {
            used += of(c);
            used <= most
        }
    };
    let end: Vec<char> = text.chars().rev().take_while(within(room - room / 3)).collect();
    let start = text.chars().take_while(within(room / 3));
    start.chain(['…']).chain(end.into_iter().rev()).collect()
}

/// Words behind a beginning, on lines that fit: broken between words, the next lines begin below the first word.
#[must_use]
pub fn folded(beginning: &str, words: &str, columns: Option<usize>) -> String {
    let columns = columns.unwrap_or(usize::MAX);
    let (mut text, mut used) = (beginning.to_owned(), beginning.width());
    for (at, word) in words.split(' ').enumerate() {
        if at > 0 && used + 1 + word.width() > columns {
            text += &format!("\n{}", " ".repeat(beginning.width()));
            used = beginning.width();
        } else if at > 0 {
            text.push(' ');
            used += 1;
        }
        text.push_str(word);
        used += word.width();
    }
    text + "\n"
}

/// How long ago, in one unit: `12 s`, `5 min`, `3 h`, `2 d`.
#[must_use]
pub fn ago(seconds: i64) -> String {
    match seconds.max(0) {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let rows = [["a", "größe", "x"], ["日本", "b", ""]].map(|row| row.map(str::to_owned).to_vec());
        assert_eq!(table(&rows), "a     größe  x\n日本  b\n");
        assert_eq!((cut("日本語", 5), cut("short", 5)), ("日本…".to_owned(), "short".to_owned()));
        let path = "/home/me/work/shop/api";
        for (width, shown) in [(22, path), (16, "/home…k/shop/api"), (3, "…pi"), (1, "…"), (0, "…")] {
            assert_eq!(middle(path, width), shown, "{width}");
        }
        assert_eq!(middle("日本語日本語", 8), "日…本語");
    }

    #[test]
    fn words_are_folded_between_words() {
        assert_eq!(folded("try: ", "one two three", Some(12)), "try: one two\n     three\n");
        assert_eq!(folded("try: ", "one two three", None), "try: one two three\n");
        assert_eq!(folded("  ✗ ", "averylongword x", Some(8)), "  ✗ averylongword\n    x\n");
    }

    #[test]
    fn ages_have_one_unit() {
        let ages: Vec<String> = [-5, 59, 60, 7_200, 172_800].into_iter().map(ago).collect();
        assert_eq!(ages, ["0 s", "59 s", "1 min", "2 h", "2 d"]);
    }
}
