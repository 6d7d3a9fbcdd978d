//! `outpost threads`: the threads of several hosts at once.

pub(super) mod copy;
mod layout;
mod turns;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use futures_util::StreamExt;
use futures_util::future::try_join_all;
use futures_util::stream::FuturesUnordered;
use serde::{Deserialize, Serialize};

use super::run::approve;
use super::spinner::Spinner;
use super::{Context, pager, waits};
use crate::app_server::Server;
use crate::config::{hosts, projects};
use crate::failure::{Exit, Failure};
use crate::name::{Alias, ThreadId};
use crate::project;
use crate::remote::Want;
use crate::thread::catalog::{self, Filter, State};
use crate::thread::writer::{self, Writer};
use crate::thread::{View, folders};
use turns::Turns;

/// List the threads of hosts and projects, the most recent first.
///
/// Without arguments: those of your projects. A project's threads are those of its folder and of the git worktrees of its repository.
/// A host that does not answer delays none of the others and is shown as such.
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
    /// At most this many of each host or project.
    #[arg(long, value_name = "N", default_value_t = 30)]
    limit: usize,
    /// Print one JSON array, an object for each host or project.
    #[arg(long)]
    json: bool,
}

/// What is asked of one host, by one login.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted {
    host: Alias,
    scopes: Vec<Scope>,
}

/// A project, or else all of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
struct Scope {
    project: Option<String>,
    cwd: Option<String>,
}

/// One host's answer.
#[derive(Debug)]
struct Answer {
    host: String,
    /// None when the host answered.
    error: Option<Trouble>,
    sections: Vec<Section>,
}

/// The threads of a host, or of a project there.
#[derive(Debug, Default)]
struct Section {
    scope: Scope,
    /// The folders that a project is: its own, and those of worktrees.
    folders: Vec<String>,
    /// When the host said this, in Unix seconds: null means just now, a time that it did not answer now.
    as_of: Option<i64>,
    threads: Vec<Row>,
}

/// A section as JSON has it.
#[derive(Serialize)]
struct Listed<'a> {
    host: &'a str,
    #[serde(flatten)]
    scope: &'a Scope,
    error: Option<&'a Trouble>,
    as_of: Option<i64>,
    threads: &'a [Row],
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
        let turns = Arc::new(Turns::new(context.ask.clone()));
        let asked = Context { local: context.local.clone(), screen: context.screen.clone(), ask: turns.clone() };
        let mut asking: FuturesUnordered<_> = wanted.iter().map(|wanted| self.ask(&asked, wanted)).collect();
        let (mut answers, mut worst) = (Vec::new(), Exit::Done);
        while let Some((answer, exit)) = asking.next().await {
            worst = worst.max(exit);
            answers.push(answer);
            // Of several each is shown as it comes; a pager would hold it back for the slowest.
            let at_once = !self.json && wanted.len() > 1;
            if let (true, Some(_silence)) = (at_once, turns.silence()) {
                show(context, &mut answers)?;
            }
        }
        if self.json {
            answers.sort_by(|a, b| a.host.cmp(&b.host));
            context.screen.json(&answers.iter().flat_map(listed).collect::<Vec<_>>())?;
        } else if let [answer] = answers.as_slice()
            && wanted.len() == 1
        {
            pager::show(context, &layout::text(answer, context.screen.columns())).await?;
        } else {
            show(context, &mut answers)?;
        }
        Ok(worst)
    }

    fn wanted(&self, context: &Context) -> Result<Vec<Wanted>, Failure> {
        let local = &context.local;
        let mut wanted: Vec<Wanted> = Vec::new();
        let mut add = |host: &Alias, scope: Scope| match wanted.iter_mut().find(|known| known.host == *host) {
            Some(known) if known.scopes.contains(&scope) => {}
            Some(known) => known.scopes.push(scope),
            None => wanted.push(Wanted { host: host.clone(), scopes: vec![scope] }),
        };
        for place in &self.places {
            let (host, path) = context.host_or_project(place)?;
            let cwd = path.map(|path| path.to_string());
            add(&host, Scope { project: cwd.as_ref().map(|_| place.clone()), cwd });
        }
        if self.all_hosts {
            let (listing, settings) = (crate::host::alias::list(local)?, hosts::load(local)?);
            listing.hosts.iter().filter(|h| settings.is_usable(&h.alias)).for_each(|h| add(&h.alias, Scope::default()));
        } else if self.places.is_empty() {
            for (name, project) in projects::load(local)? {
                add(&project.host, Scope { project: Some(name), cwd: Some(project.path.to_string()) });
            }
        }
        Ok(wanted)
    }

    async fn ask(&self, context: &Context, wanted: &Wanted) -> (Answer, Exit) {
        let host = wanted.host.to_string();
        match self.sections(context, wanted).await {
            Ok(sections) => {
                if !self.archived {
                    copy::keep(&context.local, &wanted.host, (&sections, self.limit), now());
                }
                (Answer { host, error: None, sections }, Exit::Done)
            }
            Err(failure) => {
                let exit = failure.code.exit();
                let error = Trouble { code: failure.code.as_str(), text: failure.to_string(), hint: failure.hint };
                let copy = if self.archived { copy::Copy::default() } else { copy::load(&context.local, &wanted.host) };
                let sections = wanted.scopes.iter().map(|scope| copy.section(scope, self.limit)).collect();
                (Answer { host, error: Some(error), sections }, exit)
            }
        }
    }

    async fn sections(&self, context: &Context, wanted: &Wanted) -> Result<Vec<Section>, Failure> {
        let spinner = Spinner::new(context, wanted.host.as_str(), false);
        let host = project::reach(&context.behind(&spinner), &wanted.host, Want::server()).await?;
        let lists = try_join_all(wanted.scopes.iter().map(|scope| self.section(&host.server, scope)));
        let (lists, writers) = tokio::join!(lists, writer::all(&host.server.peer));
        let mut sections = lists.map_err(|e| e.at(&wanted.host))?;
        rows(&mut sections).for_each(|row| elsewhere(row, &writers));
        let mut waiting: Vec<ThreadId> =
            rows(&mut sections).filter(|row| row.state.waits()).filter_map(|row| row.id.parse().ok()).collect();
        waiting.sort();
        waiting.dedup();
        for (id, waits) in waits::of(host.server, waiting).await {
            let waits: Vec<String> = waits.iter().map(approve::short).collect();
            rows(&mut sections).filter(|row| row.id == id.as_str()).for_each(|row| row.waits.clone_from(&waits));
        }
        host.session.close().await;
        Ok(sections)
    }

    async fn section(&self, server: &Server, scope: &Scope) -> Result<Section, Failure> {
        let folders = match &scope.cwd {
            Some(cwd) => folders::of(server, cwd).await?,
            None => Vec::new(),
        };
        let filter = Filter { cwds: folders.clone(), archived: self.archived, limit: Some(self.limit) };
        let threads = catalog::list(&server.peer, &filter).await?.into_iter().map(Row::from).collect();
        Ok(Section { scope: scope.clone(), folders, as_of: None, threads })
    }
}

fn show(context: &Context, answers: &mut Vec<Answer>) -> Result<(), Failure> {
    let columns = context.screen.columns();
    answers.drain(..).try_for_each(|answer| context.screen.answer(&layout::text(&answer, columns)))
}

fn rows(sections: &mut [Section]) -> impl Iterator<Item = &mut Row> {
    sections.iter_mut().flat_map(|section| &mut section.threads)
}

/// What our server has on disk only may be open in another process.
fn elsewhere(row: &mut Row, writers: &[Writer]) {
    if row.state == State::Stored && writers.iter().any(|writer| writer.thread == row.id) {
        row.state = State::OpenElsewhere;
    }
}

fn listed(answer: &Answer) -> impl Iterator<Item = Listed<'_>> {
    answer.sections.iter().map(|section| Listed {
        host: &answer.host,
        scope: &section.scope,
        error: answer.error.as_ref(),
        as_of: section.as_of,
        threads: &section.threads,
    })
}

/// What is shown of a thread, with what waits there.
#[cfg(test)]
pub(super) fn shown(view: View, waits: &str, columns: Option<usize>) -> String {
    let row = Row { waits: vec![waits.to_owned()], ..Row::from(view) };
    let scopes = [Scope::default(), Scope { project: Some(waits.to_owned()), cwd: Some(row.cwd.clone()) }];
    let section = |scope| Section { scope, threads: vec![row.clone()], ..Section::default() };
    layout::text(&Answer { host: waits.to_owned(), error: None, sections: scopes.map(section).into() }, columns)
}

/// Unix time in seconds.
pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
