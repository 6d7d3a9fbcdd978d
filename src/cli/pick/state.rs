//! The picker as a machine: keys and answers in, questions and decisions out. No terminal, no host, no clock.

use std::collections::HashMap;

use crossterm::event::Event as Pressed;

use super::cache::Cache;
use super::input::Input;
use super::keys::{Key, key};
use super::rows::{self, Around, Row, What, join, short};
use crate::cli::plain;
use crate::cli::run::signals::Wish;
use crate::failure::Exit;
use crate::name::Alias;
use crate::remote::browse::{Listing, Looked, MOST};

/// A host, and the projects that are on it.
#[derive(Debug, Clone)]
pub(super) struct HostRow {
    pub(super) alias: Alias,
    pub(super) projects: Vec<String>,
}

/// What happens.
#[derive(Debug)]
pub(super) enum Event {
    Pressed(Pressed),
    /// A folder was looked at.
    Looked(String, Looked),
    /// The folders in which threads ran, the last one first.
    Recent(Vec<String>),
    Wish(Wish),
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    Connect(Alias),
    /// This folder, all links resolved, was chosen.
    Taken(String),
    /// To the hosts.
    Back,
    Leave(Exit),
}

/// The most folders of former threads that are shown.
const RECENT: usize = 12;
/// How many rows around the highlighted one are looked at ahead.
const AHEAD: usize = 12;

/// The picker.
pub(super) struct Picker {
    hosts: Vec<HostRow>,
    pub(super) at: At,
    pub(super) input: Input,
    pub(super) rows: Vec<Row>,
    /// The highlighted row.
    pub(super) cursor: usize,
    pub(super) message: String,
    pub(super) colour: bool,
    hidden: bool,
    /// Whether there is one host only, so that nothing is behind its folders.
    only: bool,
    page: usize,
}

/// What is shown.
pub(super) enum At {
    Hosts,
    Folders(Box<Folders>),
}

/// The folders of a host.
pub(super) struct Folders {
    pub(super) host: Alias,
    home: String,
    /// The folder that was opened.
    dir: String,
    recent: Vec<String>,
    projects: HashMap<String, String>,
    cache: Cache,
    /// Chosen, and not known yet for what it is.
    taking: Option<String>,
}

impl Folders {
    /// The folder that is looked at, and what filters its rows.
    fn looked_at<'a>(&self, input: &'a Input) -> (String, &'a str) {
        match input.path() {
            None => (self.dir.clone(), input.text()),
            Some((dir, name)) => (self.absolute(dir), name),
        }
    }

    fn absolute(&self, typed: &str) -> String {
        let path = typed.strip_prefix('~').map_or(typed.to_owned(), |rest| format!("{}{rest}", self.home));
        let path = path.trim_end_matches('/');
        if path.is_empty() { "/".to_owned() } else { path.to_owned() }
    }

    fn rows(&self, input: &Input, hidden: bool) -> Vec<Row> {
        let (dir, filter) = self.looked_at(input);
        let known = |path: &str| self.cache.get(path);
        let around = Around { home: &self.home, dir: &dir, projects: &self.projects, known: &known };
        let entries = self.cache.get(&dir).and_then(|looked| looked.as_ref().ok()).map_or(&[][..], |listing| &listing.entries);
        let mut rows = Vec::new();
        if filter.is_empty() {
            rows.push(around.here());
        }
        if dir == self.home && input.path().is_none() {
            rows.extend(self.recent.iter().map(|path| around.recent(path)));
        }
        rows.extend(around.folders(entries, hidden || filter.starts_with('.')));
        rows::filtered(rows, filter)
    }

    /// What is known of the folder that is looked at, in a word or two.
    pub(super) fn status(&self, input: &Input) -> String {
        match self.cache.get(&self.looked_at(input).0) {
            None => "looking …".to_owned(),
            Some(Err(trouble)) => rows::words(*trouble).to_owned(),
            Some(Ok(Listing { more: true, .. })) => format!("the first {MOST} folders"),
            Some(Ok(_)) => String::new(),
        }
    }

    /// `host:folder`, harmless.
    pub(super) fn title(&self, input: &Input) -> String {
        let path = short(&self.looked_at(input).0, &self.home);
        plain::line(&format!("{}:{path}", self.host))
    }
}

impl Picker {
    pub(super) fn new(hosts: Vec<HostRow>, colour: bool) -> Self {
        let rows = rows::hosts(&hosts);
        let (input, message) = (Input::default(), String::new());
        Self { hosts, at: At::Hosts, input, rows, cursor: 0, message, colour, hidden: false, only: false, page: 10 }
    }

    /// There is nothing to go back to.
    pub(super) fn only(&mut self) {
        self.only = true;
    }

    /// How many rows a page has.
    pub(super) fn resize(&mut self, rows: usize) {
        self.page = rows.max(1);
    }

    /// Shows the folders of a host, its home folder first.
    pub(super) fn enter(&mut self, host: &Alias, home: &str, projects: HashMap<String, String>) {
        let home = if home.starts_with('/') { home.to_owned() } else { "/".to_owned() };
        let (dir, recent, cache) = (home.clone(), Vec::new(), Cache::default());
        self.at = At::Folders(Box::new(Folders { host: host.clone(), home, dir, recent, projects, cache, taking: None }));
        self.start_again();
    }

    /// Shows the hosts again, with a word on why.
    pub(super) fn back_to_hosts(&mut self, why: Option<String>) {
        self.at = At::Hosts;
        self.start_again();
        self.message = why.unwrap_or_default();
    }

    fn start_again(&mut self) {
        self.input.clear();
        self.message.clear();
        self.cursor = 0;
        self.build();
    }

    /// The folders to ask for now, the most wanted first, at most `room`; each is given once.
    pub(super) fn questions(&mut self, room: usize) -> Vec<String> {
        let At::Folders(folders) = &mut self.at else { return Vec::new() };
        let (dir, _) = folders.looked_at(&self.input);
        let near = |at: &usize| at.abs_diff(self.cursor);
        let mut around: Vec<usize> = (self.cursor.saturating_sub(AHEAD)..self.rows.len().min(self.cursor + AHEAD)).collect();
        around.sort_by_key(near);
        let rows = around.into_iter().filter_map(|at| {
            let row = self.rows.get(at).filter(|row| row.trouble.is_empty())?;
            row.what.path().map(str::to_owned)
        });
        let wanted: Vec<String> = folders.taking.iter().cloned().chain([dir]).chain(rows).collect();
        let mut questions = Vec::new();
        for path in wanted {
            if questions.len() < room && folders.cache.ask(&path) {
                questions.push(path);
            }
        }
        questions
    }

    /// Takes what happened.
    pub(super) fn take(&mut self, event: Event) -> Vec<Action> {
        let actions = match event {
            Event::Wish(Wish::Interrupt | Wish::Leave) => vec![Action::Leave(Exit::Interrupted)],
            Event::Pressed(Pressed::Key(pressed)) => key(pressed).map_or(Vec::new(), |key| self.key(&key)),
            Event::Pressed(Pressed::Paste(text)) => {
                self.input.add(&text);
                self.cursor = 0;
                Vec::new()
            }
            Event::Pressed(Pressed::Resize(..) | Pressed::FocusGained | Pressed::FocusLost | Pressed::Mouse(_)) => Vec::new(),
            Event::Looked(path, looked) => self.looked(path, looked),
            Event::Recent(paths) => {
                if let At::Folders(folders) = &mut self.at {
                    folders.recent = paths.into_iter().filter(|path| path.starts_with('/')).take(RECENT).collect();
                }
                Vec::new()
            }
        };
        self.build();
        actions
    }

    /// Makes the rows anew; the highlight stays on what it was on, save on the first row, which is always the first.
    fn build(&mut self) {
        let rows = match &self.at {
            At::Hosts => rows::filtered(rows::hosts(&self.hosts), self.input.text()),
            At::Folders(folders) => folders.rows(&self.input, self.hidden),
        };
        let before = self.rows.get(self.cursor).filter(|_| self.cursor > 0).map(|row| row.what.clone());
        let again = before.and_then(|what| rows.iter().position(|row| row.what == what));
        self.cursor = again.unwrap_or(self.cursor).min(rows.len().saturating_sub(1));
        self.rows = rows;
    }

    fn key(&mut self, key: &Key) -> Vec<Action> {
        self.message.clear();
        match key {
            Key::Text(letter) => self.typed(|input| input.add(letter.encode_utf8(&mut [0; 4]))),
            Key::Back if self.input.is_empty() => self.up(),
            Key::Back => self.typed(Input::back),
            Key::BackWord => self.typed(Input::back_word),
            Key::BackAll => self.typed(Input::clear),
            Key::Rows(by) => self.cursor = self.cursor.saturating_add_signed(*by),
            Key::Pages(by) => self.cursor = self.cursor.saturating_add_signed(by.saturating_mul(self.page.cast_signed())),
            Key::First => self.cursor = 0,
            Key::Last => self.cursor = self.rows.len().saturating_sub(1),
            Key::Hidden => self.hidden = !self.hidden,
            Key::Again => self.again(),
            Key::Up => self.up(),
            Key::Open => return self.open(),
            Key::Enter => return self.enter_pressed(),
            Key::Esc => return self.esc(),
            Key::Leave => return vec![Action::Leave(Exit::Interrupted)],
        }
        Vec::new()
    }

    fn typed(&mut self, change: impl FnOnce(&mut Input)) {
        change(&mut self.input);
        self.cursor = 0;
    }

    fn again(&mut self) {
        if let At::Folders(folders) = &mut self.at {
            folders.cache.forget();
        }
    }

    fn esc(&mut self) -> Vec<Action> {
        if let At::Folders(folders) = &mut self.at
            && folders.taking.take().is_some()
        {
            return Vec::new();
        }
        if !self.input.is_empty() {
            self.typed(Input::clear);
            return Vec::new();
        }
        match (&self.at, self.only) {
            (At::Hosts, _) | (At::Folders(_), true) => vec![Action::Leave(Exit::Interrupted)],
            (At::Folders(_), false) => vec![Action::Back],
        }
    }

    /// To the folder above; the one that was left is highlighted.
    fn up(&mut self) {
        let At::Folders(folders) = &mut self.at else { return };
        let dir = folders.looked_at(&self.input).0;
        let (above, _) = dir.trim_end_matches('/').rsplit_once('/').unwrap_or_default();
        folders.dir = if above.is_empty() { "/".to_owned() } else { above.to_owned() };
        self.input.clear();
        self.cursor = 0;
        self.build();
        self.cursor = self.rows.iter().position(|row| row.what == What::Folder(dir.clone())).unwrap_or_default();
    }

    fn open(&mut self) -> Vec<Action> {
        match self.highlighted() {
            Some(What::Host(alias)) => vec![Action::Connect(alias)],
            Some(What::Here(path) | What::Recent(path) | What::Folder(path)) => {
                if let At::Folders(folders) = &mut self.at {
                    folders.dir = path;
                }
                self.typed(Input::clear);
                Vec::new()
            }
            Some(What::Unusable(_)) | None => Vec::new(),
        }
    }

    fn enter_pressed(&mut self) -> Vec<Action> {
        match self.highlighted() {
            Some(What::Host(alias)) => vec![Action::Connect(alias)],
            Some(What::Here(path) | What::Recent(path) | What::Folder(path)) => {
                self.choose(path);
                Vec::new()
            }
            Some(What::Unusable(_)) => Vec::new(),
            // A path that nothing is known of yet may be right all the same.
            None => {
                if let (At::Folders(folders), Some((dir, name))) = (&self.at, self.input.path()) {
                    let path = join(&folders.absolute(dir), name);
                    self.choose(path);
                }
                Vec::new()
            }
        }
    }

    /// What is highlighted, unless it cannot be used; then it is said why.
    fn highlighted(&mut self) -> Option<What> {
        let row = self.rows.get(self.cursor)?;
        if row.trouble.is_empty() {
            return Some(row.what.clone());
        }
        self.message = format!("{}: {}", row.label, row.trouble);
        Some(What::Unusable(Vec::new()))
    }

    /// A folder is taken once it was looked at anew: what was seen ahead may be gone by now.
    fn choose(&mut self, path: String) {
        let At::Folders(folders) = &mut self.at else { return };
        self.message = plain::line(&format!("looking at {path} …"));
        folders.cache.forget_one(&path);
        folders.taking = Some(path);
    }

    fn chosen(&mut self, path: &str, looked: &Looked) -> Vec<Action> {
        let refused = match looked {
            Ok(listing) => match String::from_utf8(listing.path.clone()) {
                Ok(real) => return vec![Action::Taken(real)],
                Err(_) => "it leads to a name that is not UTF-8",
            },
            Err(trouble) => rows::words(*trouble),
        };
        self.message = format!("{}: {refused}", plain::line(path));
        Vec::new()
    }

    fn looked(&mut self, path: String, looked: Looked) -> Vec<Action> {
        let At::Folders(folders) = &mut self.at else { return Vec::new() };
        if !folders.cache.put(path.clone(), looked.clone()) || folders.taking.as_deref() != Some(path.as_str()) {
            return Vec::new();
        }
        folders.taking = None;
        self.message.clear();
        self.chosen(&path, &looked)
    }
}
