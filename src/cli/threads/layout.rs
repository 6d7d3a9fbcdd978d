//! How a list of threads is laid out: for a terminal in its width, for anything else whole.

use unicode_width::UnicodeWidthStr;

use super::{Answer, Row, Section, now};
use crate::cli::plain;
use crate::cli::table::{ago, cut, folded, middle, table};

/// How much of a preview is shown where there is room, in columns.
const PREVIEW: usize = 60;

/// The least that is shown of a folder and of a title where both are long, in columns.
const LEAST: usize = 12;

/// How much of an id is shown on a terminal at least: the time in it, to the millisecond. Threads that are begun together differ there
/// only, also from those that are not in the list.
const ID: usize = 13;

/// What a host answered: its trouble once, then each section under its head.
pub(super) fn text(answer: &Answer, columns: Option<usize>) -> String {
    let host = plain::line(&answer.host);
    let mut text = String::new();
    if let Some(error) = &answer.error {
        // The line above says which host it is.
        let words = error.text.strip_prefix(&format!("{}: ", answer.host)).unwrap_or(&error.text);
        let words = format!("{} [{}]", plain::line(words), error.code);
        text = format!("{host}\n{}", folded("  ✗ ", &words, columns));
        if !error.hint.is_empty() {
            text += &folded("  try: ", &plain::line(&error.hint), columns);
        }
    }
    let ids: Vec<&str> = answer.sections.iter().flat_map(|section| &section.threads).map(|row| row.id.as_str()).collect();
    for section in &answer.sections {
        let head = match (&section.scope.project, &section.scope.cwd) {
            (Some(project), Some(cwd)) => format!("{}  {host}:{}\n", plain::line(project), plain::line(cwd)),
            _ if answer.error.is_some() => String::new(),
            _ => format!("{host}\n"),
        };
        let rows = || rows(section, &ids, columns);
        text += &match (answer.error.is_some(), section.threads.is_empty()) {
            (false, true) => format!("{head}  no threads\n"),
            (false, false) => format!("{head}{}", rows()),
            (true, true) => String::new(),
            (true, false) => format!("{head}  as it was {} ago:\n{}", ago(now() - section.as_of.unwrap_or_default()), rows()),
        };
    }
    text
}

/// A line for each thread, and below it what waits there.
fn rows(section: &Section, ids: &[&str], columns: Option<usize>) -> String {
    let now = now();
    let threads = &section.threads;
    let id = |row: &Row| if columns.is_some() { short(&row.id, ids) } else { row.id.clone() };
    let row = |row: &Row| [format!("  {}", plain::line(&id(row))), row.state.as_str().to_owned(), ago(now - row.updated_at)];
    let cells: Vec<[String; 3]> = threads.iter().map(row).collect();
    let widest = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.width() + 2).max().unwrap_or(0);
    let room = columns.map(|columns| columns.saturating_sub(widest(0) + widest(1) + widest(2) + 2));
    let places = places(section, room);
    let skipped = usize::from(places.iter().all(|[place, _]| place.is_empty()));
    let cells = cells.iter().zip(places).map(|(row, place)| row.iter().cloned().chain(place.into_iter().skip(skipped)).collect());
    let lines = table(&cells.collect::<Vec<Vec<String>>>());
    let fit = |line: &str| columns.map_or_else(|| line.to_owned(), |columns| cut(line, columns));
    let with_waits = lines.lines().zip(threads).map(|(line, thread)| {
        let waits = thread.waits.iter().map(|what| fit(&format!("    ? {}", plain::line(what))) + "\n");
        format!("{}\n{}", fit(line), waits.collect::<String>())
    });
    with_waits.collect()
}

/// The beginning of an id that no other of some has.
fn short(id: &str, all: &[&str]) -> String {
    let beginning = |length: usize| id.chars().take(length).collect::<String>();
    let alone = |beginning: &str| !all.iter().any(|other| *other != id && other.starts_with(beginning));
    let lengths = ID..id.chars().count();
    lengths.map(beginning).find(|beginning| !beginning.ends_with('-') && alone(beginning)).unwrap_or_else(|| id.to_owned())
}

/// The folder with its branch, and the title, of each thread. Where both do not fit into the room of a line, the title has three fifths of
/// it, and what the folders leave.
fn places(section: &Section, room: Option<usize>) -> Vec<[String; 2]> {
    let all: Vec<[String; 3]> = section.threads.iter().map(|row| place(section, row)).collect();
    let room = room.unwrap_or(usize::MAX);
    let titles = all.iter().map(|[_, _, title]| title.width()).max().unwrap_or(0);
    let most = room.saturating_sub(titles.min(room / 5 * 3)).max(LEAST);
    let folders = all.iter().map(|[folder, branch, _]| folder.width() + branch.width()).max().unwrap_or(0).min(most);
    let shown = |[folder, branch, title]: [String; 3]| {
        let branch = cut(&branch, folders.saturating_sub(folder.width()).max(folders / 2));
        let title = cut(&title, room.saturating_sub(folders).max(LEAST));
        let folder = middle(&folder, folders.saturating_sub(branch.width()));
        [(folder + &branch).trim_end().to_owned(), title]
    };
    all.into_iter().map(shown).collect()
}

/// A thread's folder, where it is not that of its section; its branch; its title: of a prompt of several lines the first says what it is
/// about.
fn place(section: &Section, thread: &Row) -> [String; 3] {
    let title = plain::line(thread.title().trim().lines().next().unwrap_or_default());
    let title = if thread.name.is_some() { title } else { cut(&title, PREVIEW) };
    let branch = thread.branch.as_deref().map_or(String::new(), |branch| format!("({})", plain::line(branch)));
    match &section.scope.cwd {
        Some(cwd) if *cwd == thread.cwd => [String::new(), branch, title],
        Some(_) => [String::new(), format!("worktree {branch}"), title],
        None => [plain::line(&thread.cwd), format!(" {branch}"), title],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::{Scope, Trouble};
    use super::*;
    use crate::app_server::protocol::view;
    use crate::thread::View;

    fn read(thread: &Value) -> Row {
        Row::from(view::<View>(thread).expect("read"))
    }

    fn of(project: Option<&str>, cwd: Option<&str>, threads: Vec<Row>) -> Section {
        let scope = Scope { project: project.map(str::to_owned), cwd: cwd.map(str::to_owned) };
        Section { scope, threads, ..Section::default() }
    }

    #[test]
    fn hosts_are_shown_with_their_threads_or_their_trouble() {
        let thread = json!({"id":"0199","cwd":"/w","preview":"fix\u{1b}[2J it","updatedAt":4_000_000_000_i64,
            "status":{"type":"active","activeFlags":["waitingOnApproval"]},"gitInfo":{"branch":"main"}});
        let row = read(&thread);
        let threads = vec![Row { waits: vec!["run a command: $ make\u{1b}[2J".into()], ..row.clone() }];
        let trouble =
            || Trouble { code: "ssh-timeout", text: "old: connect to 10.0.0.9 port 22".into(), hint: "is it up?".into() };
        let late = |section: Section, ago: i64| Section { as_of: Some(now() - ago), ..section };
        let plain = Row { branch: None, ..row.clone() };
        let other = Row { cwd: "/t".into(), branch: Some("fix/it".into()), ..row.clone() };
        let shop = || of(Some("shop"), Some("/w"), vec![row.clone(), other.clone()]);
        let answer = |host: &str, error: Option<Trouble>, sections: Vec<Section>| {
            text(&Answer { host: host.to_owned(), error, sections }, None)
        };
        let all = [
            answer("devbox", None, vec![of(None, None, threads)]),
            answer("old", Some(trouble()), vec![late(of(None, None, vec![row.clone()]), 300)]),
            answer("new", None, vec![of(None, None, vec![])]),
            answer("two", None, vec![shop(), of(Some("blog"), Some("/b"), vec![]), of(Some("w"), Some("/w"), vec![plain])]),
            answer("away", Some(trouble()), vec![late(shop(), 300), of(Some("blog"), Some("/b"), vec![])]),
        ];
        insta::assert_snapshot!(all.concat(), @r"
        devbox
          0199  needs approval  0 s  /w (main)  fix␛[2J it
            ? run a command: $ make␛[2J
        old
          ✗ connect to 10.0.0.9 port 22 [ssh-timeout]
          try: is it up?
          as it was 5 min ago:
          0199  needs approval  0 s  /w (main)  fix␛[2J it
        new
          no threads
        shop  two:/w
          0199  needs approval  0 s  (main)             fix␛[2J it
          0199  needs approval  0 s  worktree (fix/it)  fix␛[2J it
        blog  two:/b
          no threads
        w  two:/w
          0199  needs approval  0 s  fix␛[2J it
        away
          ✗ old: connect to 10.0.0.9 port 22 [ssh-timeout]
          try: is it up?
        shop  away:/w
          as it was 5 min ago:
          0199  needs approval  0 s  (main)             fix␛[2J it
          0199  needs approval  0 s  worktree (fix/it)  fix␛[2J it
        ");
    }

    #[test]
    fn a_line_fits_into_the_terminal() {
        let thread = |id: u8, cwd: &str, name: Option<&str>| {
            let preview = "fix the test that fails on Mondays, and say why it does";
            json!({"id": format!("01990000-5c1e-7{id:03}-8000-000000000000"), "cwd": cwd, "preview": preview, "name": name,
                "updatedAt": 4_000_000_000_i64, "status": {"type": "active", "activeFlags": ["waitingOnApproval"]},
                "gitInfo": {"branch": "outpost/fix-the-test-1a2b"}})
        };
        let short = read(&thread(1, "/w", Some("a name that somebody gave it, longer than it need be, but there it is")));
        let long = read(&thread(2, "/home/somebody/work/services/shop/packages/api", None));
        let waits = vec![format!("run a command: $ {}", "make ".repeat(40))];
        let all = vec![Row { waits, ..short }, long];
        let answer = |threads: &[Row]| Answer {
            host: "devbox".into(),
            error: None,
            sections: vec![of(None, None, threads.to_vec()), of(Some("w"), Some("/w"), threads.to_vec())],
        };
        for columns in [2, 20, 60, 80, 100, 120, 200] {
            let shown = text(&answer(&all), Some(columns)) + &text(&answer(&all[..1]), Some(columns));
            let widest = shown.lines().filter(|line| line.starts_with(' ')).map(UnicodeWidthStr::width).max().expect("lines");
            assert!(widest <= columns, "{widest} of {columns}\n{shown}");
        }
        insta::assert_snapshot!(text(&answer(&all), Some(80)), @r"
        devbox
          01990000-5c1e-7001  needs approval  0 s  /w (outpost/f…  a name that somebody…
            ? run a command: $ make make make make make make make make make make make m…
          01990000-5c1e-7002  needs approval  0 s  /h…/api (outp…  fix the test that fa…
        w  devbox:/w
          01990000-5c1e-7001  needs approval  0 s  (outpost/fix-…  a name that somebody…
            ? run a command: $ make make make make make make make make make make make m…
          01990000-5c1e-7002  needs approval  0 s  worktree (out…  fix the test that fa…
        ");
        assert!(text(&answer(&all), None).contains(&all[1].id));
    }

    #[test]
    fn an_id_is_cut_to_what_no_other_has() {
        let ids = ["0199aaaa-0001-7aaa", "0199aaaa-0002-7aaa", "0199aaaa-0002-7aab", "short"];
        let cut = ids.map(|id| short(id, &ids));
        assert_eq!(cut, ["0199aaaa-0001", "0199aaaa-0002-7aaa", "0199aaaa-0002-7aab", "short"]);
    }
}
