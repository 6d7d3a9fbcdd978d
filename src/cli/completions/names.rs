//! The names that fit an argument, read from files alone.

use crate::cli::threads::copy;
use crate::config::{hosts, projects};
use crate::name::Alias;
use crate::paths::Local;

/// What an argument takes, by the word the help has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A host.
    Host,
    /// A project.
    Project,
    /// A host or a project, either as it is.
    HostOrProject,
    /// A project, or a host with a path to follow.
    Place,
    /// A host with a path to follow.
    HostAndPath,
    /// A host or a project with the id of a thread to follow.
    Thread,
}

impl Kind {
    pub(super) fn of(word: &str) -> Option<Self> {
        match word {
            "HOST" | "HOSTS" => Some(Self::Host),
            "PROJECT" => Some(Self::Project),
            "HOST|PROJECT" | "PROJECT|HOST" | "PROJECT|HOST[:PATH]" | "HOST[:PATH]|PROJECT" => Some(Self::HostOrProject),
            "HOST:PATH|PROJECT" | "PROJECT|HOST:PATH" => Some(Self::Place),
            "HOST:PATH" => Some(Self::HostAndPath),
            "THREAD" => Some(Self::Thread),
            _ => None,
        }
    }
}

/// The names, each with a few words about it. A file that cannot be read has none: at a Tab nobody wants an error.
pub(super) fn of(local: &Local, kind: Kind) -> Vec<(String, String)> {
    let ended = |end: &'static str| move |(name, help): (String, String)| (format!("{name}{end}"), help);
    match kind {
        Kind::Host => hosts(local),
        Kind::Project => projects(local),
        Kind::HostOrProject => projects(local).into_iter().chain(hosts(local)).collect(),
        Kind::Place => projects(local).into_iter().chain(hosts(local).into_iter().map(ended(":"))).collect(),
        Kind::HostAndPath => hosts(local).into_iter().map(ended(":")).collect(),
        Kind::Thread => threads(local),
    }
}

fn hosts(local: &Local) -> Vec<(String, String)> {
    let Ok(listing) = crate::host::alias::list(local) else { return Vec::new() };
    let settings = hosts::load(local).unwrap_or_default();
    let usable = listing.hosts.into_iter().filter(|listed| settings.is_usable(&listed.alias));
    usable.map(|listed| (listed.alias.to_string(), format!("host, {}:{}", listed.file.display(), listed.line))).collect()
}

/// The threads that were listed before; a host or a project of which none are known, with an id to follow.
fn threads(local: &Local) -> Vec<(String, String)> {
    let projects = projects::load(local).unwrap_or_default();
    let listing = crate::host::alias::list(local).map(|listing| listing.hosts).unwrap_or_default();
    let settings = hosts::load(local).unwrap_or_default();
    let hosts = listing.into_iter().filter(|listed| settings.is_usable(&listed.alias));
    let places = projects.into_iter().map(|(name, project)| (name, project.host));
    let places = places.chain(hosts.map(|listed| (listed.alias.to_string(), listed.alias)));
    let of_one = |(name, host): (String, Alias)| {
        let known = copy::ids(local, &host);
        if known.is_empty() {
            return vec![(format!("{name}:"), "a thread of it".to_owned())];
        }
        known.into_iter().map(|(id, title)| (format!("{name}:{id}"), harmless(&title))).collect()
    };
    places.flat_map(of_one).collect()
}

fn harmless(remote: &str) -> String {
    crate::cli::table::cut(&crate::cli::plain::line(remote), 60)
}

fn projects(local: &Local) -> Vec<(String, String)> {
    let Ok(projects) = projects::load(local) else { return Vec::new() };
    projects.into_iter().map(|(name, project)| (name, harmless(&format!("{}:{}", project.host, project.path)))).collect()
}
