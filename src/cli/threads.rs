//! `outpost threads`: the threads of several hosts at once.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde::Serialize;

use super::spinner::Spinner;
use super::table::{ago, cut, table};
use super::{Context, plain};
use crate::config::{hosts, projects};
use crate::failure::{Exit, Failure};
use crate::name::{Alias, nearest};
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
    threads: Vec<Row>,
}

#[derive(Debug, Serialize)]
struct Trouble {
    code: &'static str,
    text: String,
    hint: String,
}

#[derive(Debug, Serialize)]
struct Row {
    id: String,
    state: State,
    name: Option<String>,
    preview: String,
    cwd: String,
    branch: Option<String>,
    created_at: i64,
    updated_at: i64,
}

impl From<View> for Row {
    fn from(view: View) -> Self {
        Self {
            id: view.id.0,
            state: State::of(&view.status),
            name: view.name,
            preview: view.preview,
            cwd: view.cwd,
            branch: view.git_info.and_then(|git| git.branch),
            created_at: view.created_at,
            updated_at: view.updated_at,
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
            if self.json { answers.push(answer) } else { context.screen.answer(&text(&answer))? }
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
            match projects.get(place) {
                Some(project) => add(&project.host, Some(project.path.to_string())),
                None => add(&crate::host::alias::find(&listing, place).map_err(|e| also(e, place, &projects))?.alias, None),
            }
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
            Ok(threads) => (Answer { host, error: None, threads }, Exit::Done),
            Err(failure) => {
                let exit = failure.code.exit();
                let error = Trouble { code: failure.code.as_str(), text: failure.to_string(), hint: failure.hint };
                (Answer { host, error: Some(error), threads: Vec::new() }, exit)
            }
        }
    }

    async fn threads(&self, context: &Context, wanted: &Wanted) -> Result<Vec<Row>, Failure> {
        let spinner = Spinner::new(context, wanted.host.as_str(), false);
        let host = project::reach(&context.behind(&spinner), &wanted.host, Want::server()).await?;
        let filter = Filter { cwd: wanted.cwd.clone(), archived: self.archived, limit: Some(self.limit) };
        let threads = catalog::list(&host.server.peer, &filter).await;
        host.session.close().await;
        Ok(threads.map_err(|e| e.at(&wanted.host))?.into_iter().map(Row::from).collect())
    }
}

/// A word that is no host may have been meant for a project.
fn also(failure: Failure, word: &str, projects: &projects::Projects) -> Failure {
    match nearest(word, projects.keys().map(String::as_str)).as_slice() {
        [] => failure,
        near => failure.hint(format!("did you mean the project {}?", near.join(" or "))),
    }
}

fn text(answer: &Answer) -> String {
    let host = plain::line(&answer.host);
    if let Some(error) = &answer.error {
        let hint = if error.hint.is_empty() { String::new() } else { format!("\n  try: {}", plain::line(&error.hint)) };
        return format!("{host}\n  ✗ {}  [{}]{hint}\n", plain::line(&error.text), error.code);
    }
    if answer.threads.is_empty() {
        return format!("{host}\n  no threads\n");
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    let rows: Vec<Vec<String>> = answer.threads.iter().map(|thread| row(thread, now)).collect();
    format!("{host}\n{}", table(&rows))
}

/// How much of a preview is shown, in columns.
const PREVIEW: usize = 60;

fn row(thread: &Row, now: i64) -> Vec<String> {
    let title = thread.name.as_deref().unwrap_or(&thread.preview);
    let branch = thread.branch.as_deref().map_or(String::new(), |branch| format!(" ({})", plain::line(branch)));
    vec![
        format!("  {}", plain::line(&thread.id)),
        thread.state.as_str().to_owned(),
        ago(now - thread.updated_at),
        format!("{}{branch}", plain::line(&thread.cwd)),
        cut(&plain::line(title), PREVIEW),
    ]
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
        let threads = vec![Row::from(view::<View>(&thread).expect("read"))];
        let trouble = Trouble { code: "ssh-timeout", text: "old: connect to 10.0.0.9 port 22".into(), hint: "is it up?".into() };
        let all = [
            text(&Answer { host: "devbox".into(), error: None, threads }),
            text(&Answer { host: "old".into(), error: Some(trouble), threads: vec![] }),
            text(&Answer { host: "new".into(), error: None, threads: vec![] }),
        ];
        insta::assert_snapshot!(all.concat(), @r"
        devbox
          0199  needs approval  0 s  /w (main)  fix␛[2J it
        old
          ✗ old: connect to 10.0.0.9 port 22  [ssh-timeout]
          try: is it up?
        new
          no threads
        ");
    }
}
