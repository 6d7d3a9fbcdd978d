//! `outpost threads`: the threads of several hosts at once.

pub(super) mod copy;

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};
use unicode_width::UnicodeWidthStr;

use super::run::approve;
use super::spinner::Spinner;
use super::table::{ago, cut, middle, table};
use super::{Context, plain, waits};
use crate::config::{hosts, projects};
use crate::failure::{Exit, Failure};
use crate::name::Alias;
use crate::project;
use crate::remote::Want;
use crate::thread::View;
use crate::thread::catalog::{self, Filter, State};

/// List the threads of hosts and projects, the most recent first.
///
/// Without arguments: those of your projects. A host that does not answer delays none of the others and is shown as such.
#[derive(Debug, Args)]
pub struct Threads {
    /// Hosts, or projects.
    #[arg(value_name = "HOST|PROJECT")]
    places: Vec<String>,
    /// Ask every host that you work with.
    #[arg(long)]
    all_hosts: bool,
    /// Those that were put away.
    #[arg(long)]
    archived: bool,
    /// At most this many of each host.
    #[arg(long, value_name = "N", default_value_t = 30)]
    limit: usize,
    /// Print one JSON array, an object for each host.
    #[arg(long)]
    json: bool,
}

/// What is asked of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    host: Alias,
    cwd: Option<String>,
}

/// One host's answer.
#[derive(Debug, Serialize)]
struct Answer {
    host: String,
    /// Null when the host answered.
    error: Option<Trouble>,
    /// When the host said this, in Unix seconds: null means just now, a time that it did not answer now.
    as_of: Option<i64>,
    threads: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Trouble {
    code: &'static str,
    text: String,
    hint: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Row {
    id: String,
    state: State,
    name: Option<String>,
    preview: String,
    cwd: String,
    branch: Option<String>,
    created_at: i64,
    updated_at: i64,
    /// What waits for a person, a line each.
    waits: Vec<String>,
}

impl Row {
    /// Its name, or the beginning of its first prompt.
    fn title(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.preview)
    }
}

impl From<View> for Row {
    fn from(view: View) -> Self {
        Self {
            id: view.id.to_string(),
            state: State::of(&view.status),
            name: view.name,
            preview: view.preview,
            cwd: view.cwd,
            branch: view.git_info.and_then(|git| git.branch),
            created_at: view.created_at,
            updated_at: view.updated_at,
            waits: Vec::new(),
        }
    }
}

impl Threads {
    /// Asks all hosts at once.
    ///
    /// # Errors
    /// When the gate is off, a name is not known, or no host answered.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let wanted = self.wanted(context)?;
        if wanted.is_empty() && !self.json {
            context.screen.note("no projects yet: name hosts, or use --all-hosts, or `outpost projects add HOST:PATH`");
        }
        let (mut answers, mut worst) = (Vec::new(), Exit::Done);
        let mut asking: FuturesUnordered<_> = wanted.iter().map(|wanted| self.ask(context, wanted)).collect();
        while let Some((answer, exit)) = asking.next().await {
            worst = worst.max(exit);
            if self.json { answers.push(answer) } else { context.screen.answer(&text(&answer, context.screen.columns()))? }
        }
        if self.json {
            answers.sort_by(|a, b| a.host.cmp(&b.host));
            context.screen.json(&answers)?;
        }
        Ok(worst)
    }

    fn wanted(&self, context: &Context) -> Result<Vec<Wanted>, Failure> {
        let local = &context.local;
        let projects = projects::load(local)?;
        let listing = crate::host::alias::list(local)?;
        let mut wanted = Vec::new();
        let mut add = |host: &Alias, cwd: Option<String>| {
            let one = Wanted { host: host.clone(), cwd };
            if !wanted.contains(&one) {
                wanted.push(one);
            }
        };
        for place in &self.places {
            let (host, path) = context.host_or_project(place)?;
            add(&host, path.map(|path| path.to_string()));
        }
        if self.all_hosts {
            let settings = hosts::load(local)?;
            listing.hosts.iter().filter(|h| settings.is_usable(&h.alias)).for_each(|h| add(&h.alias, None));
        } else if self.places.is_empty() {
            projects.values().for_each(|project| add(&project.host, Some(project.path.to_string())));
        }
        Ok(wanted)
    }

    async fn ask(&self, context: &Context, wanted: &Wanted) -> (Answer, Exit) {
        let host = wanted.host.to_string();
        match self.threads(context, wanted).await {
            Ok(threads) => {
                if !self.archived {
                    copy::keep(&context.local, wanted, &threads, now());
                }
                (Answer { host, error: None, as_of: None, threads }, Exit::Done)
            }
            Err(failure) => {
                let exit = failure.code.exit();
                let error = Trouble { code: failure.code.as_str(), text: failure.to_string(), hint: failure.hint };
                let copy = if self.archived { None } else { copy::load(&context.local, wanted) };
                let (as_of, mut threads) = copy.map_or((None, Vec::new()), |copy| (Some(copy.as_of), copy.threads));
                threads.truncate(self.limit);
                (Answer { host, error: Some(error), as_of, threads }, exit)
            }
        }
    }

    async fn threads(&self, context: &Context, wanted: &Wanted) -> Result<Vec<Row>, Failure> {
        let spinner = Spinner::new(context, wanted.host.as_str(), false);
        let host = project::reach(&context.behind(&spinner), &wanted.host, Want::server()).await?;
        let filter = Filter { cwd: wanted.cwd.clone(), archived: self.archived, limit: Some(self.limit) };
        let threads = catalog::list(&host.server.peer, &filter).await;
        let mut rows: Vec<Row> = threads.map_err(|e| e.at(&wanted.host))?.into_iter().map(Row::from).collect();
        let waiting = rows.iter().filter(|row| row.state.waits()).filter_map(|row| row.id.parse().ok()).collect();
        for (id, waits) in waits::of(host.server, waiting).await {
            let waits: Vec<String> = waits.iter().map(approve::short).collect();
            rows.iter_mut().filter(|row| row.id == id.as_str()).for_each(|row| row.waits.clone_from(&waits));
        }
        host.session.close().await;
        Ok(rows)
    }
}

fn text(answer: &Answer, columns: Option<usize>) -> String {
    let host = plain::line(&answer.host);
    if let Some(error) = &answer.error {
        let hint = if error.hint.is_empty() { String::new() } else { format!("\n  try: {}", plain::line(&error.hint)) };
        let trouble = format!("{host}\n  ✗ {}  [{}]{hint}\n", plain::line(&error.text), error.code);
        let Some(as_of) = answer.as_of.filter(|_| !answer.threads.is_empty()) else { return trouble };
        return format!("{trouble}  as it was {} ago:\n{}", ago(now() - as_of), rows(&answer.threads, columns));
    }
    if answer.threads.is_empty() {
        return format!("{host}\n  no threads\n");
    }
    format!("{host}\n{}", rows(&answer.threads, columns))
}

/// What is shown of a thread, with what waits there.
#[cfg(test)]
pub(super) fn shown(view: View, waits: &str, columns: Option<usize>) -> String {
    let row = Row { waits: vec![waits.to_owned()], ..Row::from(view) };
    text(&Answer { host: "devbox".to_owned(), error: None, as_of: None, threads: vec![row] }, columns)
}

/// Unix time in seconds.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}

/// A line for each thread, and below it what waits there.
fn rows(threads: &[Row], columns: Option<usize>) -> String {
    let now = now();
    let cells: Vec<[String; 3]> = threads.iter().map(|thread| row(thread, now)).collect();
    let widest = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.width() + 2).max().unwrap_or(0);
    let room = columns.map(|columns| columns.saturating_sub(widest(0) + widest(1) + widest(2) + 3));
    let places = places(threads, room);
    let cells = cells.iter().zip(places).map(|(row, place)| row.iter().cloned().chain(place).collect());
    let lines = table(&cells.collect::<Vec<Vec<String>>>());
    let with_waits = lines.lines().zip(threads).map(|(line, thread)| {
        let waits = thread.waits.iter().map(|what| format!("    ? {}\n", plain::line(what)));
        format!("{line}\n{}", waits.collect::<String>())
    });
    with_waits.collect()
}

/// What is shown whole of a thread.
fn row(thread: &Row, now: i64) -> [String; 3] {
    [format!("  {}", plain::line(&thread.id)), thread.state.as_str().to_owned(), ago(now - thread.updated_at)]
}

/// How much of a preview is shown where there is room, in columns.
const PREVIEW: usize = 60;

/// The least that is shown of a folder and of a preview, in columns: a terminal that has no room for them wraps.
const LEAST: usize = 16;

/// The folder with its branch, and the title, of each thread. Where both do not fit into the room of a line, the folders give way, down
/// to half of it for previews; names that people gave stay whole.
fn places(threads: &[Row], room: Option<usize>) -> Vec<[String; 2]> {
    let all: Vec<(String, String, String)> = threads.iter().map(place).collect();
    let room = room.unwrap_or(usize::MAX);
    let named = |row: &Row, title: usize| if row.name.is_some() { title } else { title.min(room / 2) };
    let titles = threads.iter().zip(&all).map(|(row, (_, _, title))| named(row, title.width())).max().unwrap_or(0);
    let most = room.saturating_sub(titles).max(LEAST);
    let folders = all.iter().map(|(folder, branch, _)| folder.width() + branch.width()).max().unwrap_or(0).min(most);
    let title = |row: &Row, title: String| {
        if row.name.is_some() { title } else { cut(&title, room.saturating_sub(folders).max(LEAST)) }
    };
    let shown = |(row, (folder, branch, text)): (&Row, (String, String, String))| {
        let branch = cut(&branch, folders.saturating_sub(folder.width()).max(folders / 2));
        [middle(&folder, folders - branch.width()) + &branch, title(row, text)]
    };
    threads.iter().zip(all).map(shown).collect()
}

/// A thread's folder, its branch, and its title: of a prompt of several lines the first says what it is about.
fn place(thread: &Row) -> (String, String, String) {
    let title = plain::line(thread.title().trim().lines().next().unwrap_or_default());
    let branch = thread.branch.as_deref().map_or(String::new(), |branch| format!(" ({})", plain::line(branch)));
    let title = if thread.name.is_some() { title } else { cut(&title, PREVIEW) };
    (plain::line(&thread.cwd), branch, title)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app_server::protocol::view;
    use serde_json::json;

    #[test]
    fn hosts_are_shown_with_their_threads_or_their_trouble() {
        let thread = json!({"id":"0199","cwd":"/w","preview":"fix\u{1b}[2J it","updatedAt":4_000_000_000_i64,
            "status":{"type":"active","activeFlags":["waitingOnApproval"]},"gitInfo":{"branch":"main"}});
        let row = Row::from(view::<View>(&thread).expect("read"));
        let threads = vec![Row { waits: vec!["run a command: $ make\u{1b}[2J".into()], ..row.clone() }];
        let trouble = Trouble { code: "ssh-timeout", text: "old: connect to 10.0.0.9 port 22".into(), hint: "is it up?".into() };
        let all = [
            text(&Answer { host: "devbox".into(), error: None, as_of: None, threads }, None),
            text(&Answer { host: "old".into(), error: Some(trouble), as_of: Some(now() - 300), threads: vec![row] }, None),
            text(&Answer { host: "new".into(), error: None, as_of: None, threads: vec![] }, None),
        ];
        insta::assert_snapshot!(all.concat(), @r"
        devbox
          0199  needs approval  0 s  /w (main)  fix␛[2J it
            ? run a command: $ make␛[2J
        old
          ✗ old: connect to 10.0.0.9 port 22  [ssh-timeout]
          try: is it up?
          as it was 5 min ago:
          0199  needs approval  0 s  /w (main)  fix␛[2J it
        new
          no threads
        ");
    }

    #[test]
    fn a_line_gives_way_in_its_folder() {
        let thread = |id: u8, cwd: &str, name: Option<&str>| {
            let preview = "fix the test that fails on Mondays, and say why it does";
            json!({"id": format!("0199{id:04}-5c1e-7000-8000-000000000000"), "cwd": cwd, "preview": preview, "name": name,
                "updatedAt": 4_000_000_000_i64, "status": {"type": "idle"}, "gitInfo": {"branch": "outpost/fix-the-test-1a2b"}})
        };
        let short = thread(1, "/w", Some("Mondays"));
        let long = thread(2, "/home/somebody/work/services/shop/packages/api", None);
        let read =
            |all: &[&serde_json::Value]| all.iter().map(|one| Row::from(view::<View>(one).expect("read"))).collect::<Vec<_>>();
        for columns in [60, 80, 100, 120, 200] {
            let (both, one) = (rows(&read(&[&short, &long]), Some(columns)), rows(&read(&[&short]), Some(columns)));
            let widest = both.lines().chain(one.lines()).map(UnicodeWidthStr::width).max().expect("lines");
            assert!(widest < columns.max(88), "{widest} of {columns}\n{both}{one}");
        }
        insta::assert_snapshot!(rows(&read(&[&short, &long]), Some(100)), @r"
          01990001-5c1e-7000-8000-000000000000  idle  0 s  /w (outpost/fix-the-te…  Mondays
          01990002-5c1e-7000-8000-000000000000  idle  0 s  /ho…ages/api (outpost/…  fix the test that fail…
        ");
    }
}
