//! The list of hosts as rows: for JSON, and as a table for people.

use std::path::Path;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::cli::plain;
use crate::config::hosts::HostsFile;
use crate::failure::Failure;
use crate::host::alias::Listing;
use crate::host::target::Target;
use crate::paths::Local;
use crate::ssh::hops;

/// What is said of a host that hosts.toml remembers and the ssh configuration no longer names.
const GONE: &str = "gone from the ssh configuration";

/// One host, as `hosts --json` prints it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its name.
    pub alias: String,
    /// The file that names it; none for a host that is gone.
    pub file: Option<String>,
    /// The line there.
    pub line: Option<usize>,
    /// What `ssh -G` says, when it was asked.
    pub resolved: Option<Resolved>,
    /// Why there is no answer.
    pub error: Option<String>,
    /// Whether the person works with it.
    pub in_use: bool,
}

/// What `ssh -G` says of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resolved {
    /// The name to connect to.
    pub hostname: String,
    /// The user to log in as.
    pub user: String,
    /// The port.
    pub port: u16,
    /// The hosts on the way.
    pub proxyjump: Option<String>,
    /// The key files, as ssh prints them: `~` and `%` unexpanded.
    pub identityfile: Vec<String>,
}

impl Row {
    /// With the answer of `ssh -G`.
    pub fn answered(&mut self, answer: Result<Target, Failure>, local: &Local) {
        match answer {
            Ok(target) => self.resolved = Some(Resolved::of(&target, local)),
            Err(failure) if failure.said.is_empty() => self.error = Some(failure.tried),
            Err(failure) => self.error = Some(failure.said),
        }
    }
}

impl Resolved {
    fn of(target: &Target, local: &Local) -> Self {
        Self {
            hostname: target.host_name().to_owned(),
            user: target.user().to_owned(),
            port: target.port(),
            proxyjump: hops::shown(target, local),
            identityfile: target.all("identityfile").to_vec(),
        }
    }

    fn text(&self) -> String {
        let host = if self.hostname.contains(':') { format!("[{}]", self.hostname) } else { self.hostname.clone() };
        let port = if self.port == 22 { String::new() } else { format!(":{}", self.port) };
        let jump = self.proxyjump.as_ref().map_or(String::new(), |jump| format!(" through {jump}"));
        format!("{}@{host}{port}{jump}", self.user)
    }
}

/// The hosts of the configuration in its order, then those that are gone from it.
#[must_use]
pub fn of(listing: &Listing, file: &HostsFile) -> Vec<Row> {
    let listed = listing.hosts.iter().map(|listed| Row {
        alias: listed.alias.to_string(),
        file: Some(listed.file.display().to_string()),
        line: Some(listed.line),
        resolved: None,
        error: None,
        in_use: file.is_usable(&listed.alias),
    });
    let known: std::collections::HashSet<_> = listing.hosts.iter().map(|listed| &listed.alias).collect();
    let gone = file.named().filter(|alias| !known.contains(alias)).map(|alias| Row {
        alias: alias.to_string(),
        file: None,
        line: None,
        resolved: None,
        error: Some(GONE.to_owned()),
        in_use: false,
    });
    listed.chain(gone).collect()
}

/// The rows in columns, harmless for a terminal.
#[must_use]
pub fn table(rows: &[Row], local: &Local) -> String {
    let cells: Vec<[String; 3]> = rows.iter().map(|row| cells(row, local)).collect();
    let width = |column: usize| cells.iter().filter_map(|row| row.get(column)).map(|cell| cell.width()).max().unwrap_or(0);
    let (first, second) = (width(0), width(1));
    let mut text = String::new();
    for (row, [alias, place, rest]) in rows.iter().zip(&cells) {
        let line = format!("{}  {}  {rest}", padded(alias, first), padded(place, second));
        text.push_str(line.trim_end());
        text.push('\n');
        if row.file.is_some() {
            for said in row.error.iter().flat_map(|error| error.trim_end().lines()) {
                text.push_str(&format!("{:first$}  {}\n", "", plain::line(said)));
            }
        }
    }
    text
}

/// `format!` pads by characters; a terminal counts columns.
fn padded(cell: &str, width: usize) -> String {
    format!("{cell}{}", " ".repeat(width.saturating_sub(cell.width())))
}

fn cells(row: &Row, local: &Local) -> [String; 3] {
    let place = match (&row.file, row.line) {
        (Some(file), Some(line)) => format!("{}:{line}", short(Path::new(file), &local.home)),
        (_, _) => GONE.to_owned(),
    };
    let rest = match (row, &row.resolved) {
        (Row { file: None, .. }, _) => format!("forget it: outpost hosts remove {}", row.alias),
        (Row { error: Some(_), .. }, _) => "✗ ssh refuses:".to_owned(),
        (_, Some(resolved)) => resolved.text(),
        (_, None) => String::new(),
    };
    let rest = if row.in_use || row.file.is_none() { rest } else { format!("{rest}  (not in use)") };
    [plain::line(&row.alias), plain::line(&place), plain::line(rest.trim_start())]
}

/// A path under the home folder as people write it.
pub fn short(file: &Path, home: &Path) -> String {
    match file.strip_prefix(home) {
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => file.display().to_string(),
    }
}
