//! The names that fit an argument, read from files alone.

use crate::cli::threads::copy;
use crate::config::{hosts, projects};
use crate::name::Alias;
use crate::paths::Local;

/// What an argument takes, by the words the help has for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Kind {
    /// Hosts: as they are, or with a colon that a path follows.
    pub(super) hosts: Option<Hosts>,
    /// Projects.
    pub(super) projects: bool,
    /// Threads: a host or a project with the id of one.
    pub(super) threads: bool,
}

/// How hosts are offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hosts {
    Alone,
    WithPath,
}

impl Kind {
    /// From the value's name; none when no name of ours fits there.
    pub(super) fn of(value: &str) -> Option<Self> {
        let mut kind = Self::default();
        for word in value.split('|') {
            match word {
                "HOST" | "HOSTS" | "HOST[:PATH]" => kind.hosts = Some(Hosts::Alone),
                "HOST:PATH" => kind.hosts = kind.hosts.or(Some(Hosts::WithPath)),
                "PROJECT" => kind.projects = true,
                "THREAD" => kind.threads = true,
                _ => {}
            }
        }
        (kind != Self::default()).then_some(kind)
    }
}

/// The names, each with a few words about it. A file that cannot be read has none: at a Tab nobody wants an error.
pub(super) fn of(local: &Local, kind: Kind) -> Vec<(String, String)> {
    let mut names = if kind.projects { projects(local) } else { Vec::new() };
    match kind.hosts {
        Some(Hosts::Alone) => names.extend(hosts(local)),
        Some(Hosts::WithPath) => names.extend(hosts(local).into_iter().map(|(name, help)| (format!("{name}:"), help))),
        None => {}
    }
    if kind.threads {
        names.extend(threads(local));
    }
    names
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

pub(in crate::cli) fn harmless(remote: &str) -> String {
    crate::cli::table::cut(&crate::cli::plain::line(remote), 60)
}

fn projects(local: &Local) -> Vec<(String, String)> {
    let Ok(projects) = projects::load(local) else { return Vec::new() };
    projects.into_iter().map(|(name, project)| (name, harmless(&format!("{}:{}", project.host, project.path)))).collect()
}
