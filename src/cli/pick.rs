//! `outpost projects pick`: a folder chosen on a full screen, and kept as a project.

mod cache;
mod input;
mod keys;
mod rows;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use clap::Args;
use crossterm::event::Event as Pressed;
use futures_util::StreamExt;
use tokio::sync::broadcast;

use super::full::Full;
use super::run::signals::{self, Wish};
use super::spinner::Spinner;
use super::{Context, plain, report};
use crate::config::hosts;
use crate::config::projects::{self, Project};
use crate::failure::{Code, Exit, Failure};
use crate::name::{Alias, RemotePath};
use crate::project::browse::{self, Browsing};
use crate::remote::browse::Folders;
use crate::thread::catalog::{self, Filter};
use state::{Action, Event, HostRow, Picker};

/// Choose a folder of a host on a full screen, and keep it as a project.
///
/// Type to filter, or a path that begins with / or ~. Enter takes the folder, → opens it, ← goes up, Ctrl-A shows hidden ones,
/// Esc goes back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpost projects pick\n  outpost projects pick devbox --name shop")]
pub struct Pick {
    /// The host; without it you choose one.
    #[arg(value_name = "HOST")]
    host: Option<String>,
    /// The project's name; by default that of the folder.
    #[arg(long)]
    name: Option<String>,
}

/// How many threads are looked at for the folders that were used last.
const RECENT_THREADS: usize = 100;
/// How many questions may be open at the host at once: more would hold back what the person asks for next.
const OPEN_QUESTIONS: usize = 8;

/// How picking on one host ended.
enum Picked {
    Folder(String),
    Back,
    Left(Exit),
}

impl Pick {
    /// Shows the hosts, then the folders of one.
    ///
    /// # Errors
    /// Without a terminal; what the host says.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        if !context.screen.interactive {
            return Err(Failure::new(Code::Usage, "choose a folder on the screen")
                .said("standard input and standard error must be a terminal")
                .hint("without one: outpost projects add HOST:PATH"));
        }
        if let Some(name) = &self.name {
            projects::checked_name(name)?;
            super::projects::free(context, name)?;
        }
        let mut picker = Picker::new(host_rows(context)?, context.screen.colour);
        let mut wishes = signals::listen()?;
        match &self.host {
            Some(word) => self.only(context, word, (&mut picker, &mut wishes)).await,
            None => self.any(context, (&mut picker, &mut wishes)).await,
        }
    }

    async fn only(&self, context: &Context, word: &str, (picker, wishes): Screened<'_>) -> Result<Exit, Failure> {
        let (alias, _) = context.host_or_project(word)?;
        picker.only();
        match folder_of(context, &alias, (picker, wishes)).await? {
            Picked::Folder(path) => self.keep(context, alias, &path),
            Picked::Back => Ok(Exit::Done),
            Picked::Left(exit) => Ok(exit),
        }
    }

    async fn any(&self, context: &Context, (picker, wishes): Screened<'_>) -> Result<Exit, Failure> {
        loop {
            let alias = match host(picker, wishes).await? {
                Ok(alias) => alias,
                Err(exit) => return Ok(exit),
            };
            match folder_of(context, &alias, (picker, wishes)).await {
                Ok(Picked::Folder(path)) => return self.keep(context, alias, &path),
                Ok(Picked::Left(exit)) => return Ok(exit),
                Ok(Picked::Back) => picker.back_to_hosts(None),
                // Ctrl-C at a password means to leave, not to choose another host.
                Err(failure) if failure.code == Code::Interrupted => return Err(failure),
                Err(failure) => picker.back_to_hosts(Some(report::failure(&failure))),
            }
        }
    }

    /// Keeps the folder under a name, and says so.
    fn keep(&self, context: &Context, host: Alias, path: &str) -> Result<Exit, Failure> {
        let path: RemotePath = path.parse().map_err(|e| Failure::new(Code::Usage, "take the folder").said(e))?;
        let project = Project { host, path };
        let place = format!("{}:{}", project.host, project.path);
        let known = projects::load(&context.local)?.into_iter().find(|(_, other)| *other == project);
        let name = match (known, &self.name) {
            (Some((name, _)), None) => {
                super::projects::already(context, &name);
                name
            }
            (_, given) => {
                let name = given.clone().map_or_else(|| super::projects::free_name(context, project.path.as_str()), Ok)?;
                projects::put(&context.local, &name, &project)?;
                context.screen.note(&plain::line(&format!("added; try: outpost run {name} \"…\"")));
                name
            }
        };
        context.screen.line(&plain::line(&format!("{name}  {place}")))?;
        Ok(Exit::Done)
    }
}

/// What is shown, and who may end it from outside.
type Screened<'a> = (&'a mut Picker, &'a mut broadcast::Receiver<Wish>);

fn host_rows(context: &Context) -> Result<Vec<HostRow>, Failure> {
    let (listing, settings) = (crate::host::alias::list(&context.local)?, hosts::load(&context.local)?);
    let mut names: HashMap<Alias, Vec<String>> = HashMap::new();
    for (name, project) in projects::load(&context.local)? {
        names.entry(project.host).or_default().push(name);
    }
    let usable = listing.hosts.into_iter().filter(|listed| settings.is_usable(&listed.alias));
    Ok(usable.map(|listed| HostRow { projects: names.remove(&listed.alias).unwrap_or_default(), alias: listed.alias }).collect())
}

/// Lets the person choose a host.
async fn host(picker: &mut Picker, wishes: &mut broadcast::Receiver<Wish>) -> Result<Result<Alias, Exit>, Failure> {
    let mut full = Full::begin()?;
    loop {
        picker.resize(view::page(full.height()));
        full.draw(|frame| view::draw(frame, picker))?;
        let event = tokio::select! {
            pressed = full.keys.next() => read(pressed),
            Ok(wish) = wishes.recv() => Event::Wish(wish),
        };
        for action in picker.take(event) {
            match action {
                Action::Connect(alias) => return Ok(Ok(alias)),
                Action::Leave(exit) => return Ok(Err(exit)),
                Action::Taken(_) | Action::Back => {}
            }
        }
    }
}

/// Connects, with questions on the plain screen, and lets the person choose a folder.
async fn folder_of(context: &Context, alias: &Alias, screened: Screened<'_>) -> Result<Picked, Failure> {
    let (browsing, folders) = {
        let spinner = Spinner::new(context, alias.as_str(), true);
        let behind = context.behind(&spinner);
        tokio::select! {
            begun = browse::begin(&behind, alias) => begun?,
            Ok(_) = screened.1.recv() => return Ok(Picked::Left(Exit::Interrupted)),
        }
    };
    let picked = folder(context, alias, (&browsing, folders), screened).await;
    browsing.close().await;
    picked.map_err(|e| e.at(alias))
}

async fn folder(
    context: &Context,
    alias: &Alias,
    (browsing, mut folders): (&Browsing, Folders),
    (picker, wishes): Screened<'_>,
) -> Result<Picked, Failure> {
    let mine = projects::load(&context.local)?.into_iter().filter(|(_, project)| project.host == *alias);
    picker.enter(alias, &folders.home, mine.map(|(name, project)| (project.path.to_string(), name)).collect());
    let mut full = Full::begin()?;
    let mut recent = Recent::ask(browsing, context);
    loop {
        let room = OPEN_QUESTIONS.saturating_sub(folders.open());
        for path in picker.questions(room) {
            folders.ask(&path).await?;
        }
        picker.resize(view::page(full.height()));
        full.draw(|frame| view::draw(frame, picker))?;
        let event = tokio::select! {
            pressed = full.keys.next() => read(pressed),
            looked = folders.next() => { let (path, looked) = looked?; Event::Looked(path, looked) }
            paths = recent.next() => Event::Recent(paths),
            Ok(wish) = wishes.recv() => Event::Wish(wish),
        };
        for action in picker.take(event) {
            match action {
                Action::Taken(path) => return Ok(Picked::Folder(path)),
                Action::Back => return Ok(Picked::Back),
                Action::Leave(exit) => return Ok(Picked::Left(exit)),
                Action::Connect(_) => {}
            }
        }
    }
}

fn read(pressed: Option<std::io::Result<Pressed>>) -> Event {
    match pressed {
        Some(Ok(pressed)) => Event::Pressed(pressed),
        Some(Err(_)) | None => Event::Wish(Wish::Leave),
    }
}

/// The folders in which threads ran, the last one first; asked for once, beside everything else.
struct Recent<'a>(Option<Pin<Box<dyn Future<Output = Vec<String>> + Send + 'a>>>);

impl<'a> Recent<'a> {
    fn ask(browsing: &'a Browsing, context: &'a Context) -> Self {
        Self(Some(Box::pin(async move {
            // Folders can be chosen without an app-server too.
            let Ok(server) = browsing.server(&context.local).await else { return Vec::new() };
            let filter = Filter { limit: Some(RECENT_THREADS), ..Filter::default() };
            let threads = catalog::list(&server.peer, &filter).await.unwrap_or_default();
            let mut paths: Vec<String> = Vec::new();
            for thread in threads {
                if !paths.contains(&thread.cwd) {
                    paths.push(thread.cwd);
                }
            }
            paths
        })))
    }

    /// The answer, once; then never again.
    async fn next(&mut self) -> Vec<String> {
        let Some(asking) = &mut self.0 else { return std::future::pending().await };
        let paths = asking.await;
        self.0 = None;
        paths
    }
}
