//! `outpost hosts enable|disable|set|remove`: what we remember of each host.

use std::ffi::OsStr;
use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::cli::{Context, plain};
use crate::config::hosts::edit::{self, Setting};
use crate::config::hosts::{self, HostsFile};
use crate::failure::{Exit, Failure};
use crate::host::alias::{self, Listing};
use crate::name::Alias;

/// Choose the hosts you work with; until one is chosen, all are in use.
#[derive(Debug, Args)]
pub struct EnableHosts {
    /// The hosts.
    #[arg(value_name = "HOST", required_unless_present = "all")]
    aliases: Vec<String>,
    /// Use all hosts again.
    #[arg(long, conflicts_with = "aliases")]
    all: bool,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Leave hosts out: nothing connects to them.
#[derive(Debug, Args)]
pub struct DisableHosts {
    /// The hosts.
    #[arg(value_name = "HOST", required = true)]
    aliases: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Set how a host is used; `KEY=` unsets.
///
/// Keys: codex and codex_home (paths on the host), env.NAME, run_through (a command such as `sudo -iu dev`, or
/// `["sudo", "-iu", "dev"]`), carrier (builtin or ssh), session_attached (true or false).
#[derive(Debug, Args)]
pub struct SetHost {
    /// The host.
    #[arg(value_name = "HOST")]
    alias: String,
    /// What to set.
    #[arg(value_name = "KEY=VALUE", required = true)]
    settings: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

/// Forget everything remembered of hosts; your ssh configuration is not touched.
#[derive(Debug, Args)]
pub struct RemoveHosts {
    /// The hosts.
    #[arg(value_name = "HOST", required = true)]
    aliases: Vec<String>,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

impl EnableHosts {
    /// Writes it and says which hosts are in use now.
    ///
    /// # Errors
    /// An unknown host; a hosts.toml that cannot be read or written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let known = Known::of(context)?;
        if self.all {
            edit::enable_all(&context.local)?;
        } else {
            edit::enable(&context.local, &known.all(&self.aliases)?)?;
        }
        known.tell_usable(context, self.json)
    }
}

impl DisableHosts {
    /// Writes it and says which hosts are in use now.
    ///
    /// # Errors
    /// As [`EnableHosts::run`].
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let known = Known::of(context)?;
        edit::disable(&context.local, &known.all(&self.aliases)?)?;
        known.tell_usable(context, self.json)
    }
}

impl SetHost {
    /// Writes the settings and says where.
    ///
    /// # Errors
    /// An unknown host or key, a value that does not fit; a hosts.toml that cannot be read or written.
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let settings = self.settings.iter().map(|word| Setting::parse(word)).collect::<Result<Vec<_>, _>>()?;
        let alias = Known::of(context)?.one(&self.alias)?;
        edit::set(&context.local, &alias, &settings)?;
        let path = hosts::path(&context.local).display().to_string();
        if self.json {
            context.screen.json(&json!({"host": alias, "file": path}))?;
        } else {
            context.screen.line(&plain::line(&format!("{alias}: kept in {path}")))?;
        }
        for (word, meant) in self.settings.iter().filter_map(|word| Some((word, unexpanded(word, context.local.var("HOME")?)?))) {
            let note =
                format!("note: {word} begins with your home on this machine; if your shell made that of ~, quote it: '{meant}'");
            context.screen.note(&plain::line(&note));
        }
        Ok(Exit::Done)
    }
}

/// What a person may have typed whose shell wrote out the `~` of a path on the host: bash does that behind a `=`.
fn unexpanded(word: &str, home: &OsStr) -> Option<String> {
    let (key, path) = word.split_once('=').filter(|(key, _)| matches!(*key, "codex" | "codex_home"))?;
    let rest = Path::new(path).strip_prefix(home).ok()?;
    Some(format!("{key}=~/{}", rest.to_str()?))
}

impl RemoveHosts {
    /// Forgets the hosts.
    ///
    /// # Errors
    /// As [`EnableHosts::run`].
    pub fn run(&self, context: &Context) -> Result<Exit, Failure> {
        let known = Known::of(context)?;
        let aliases = known.all(&self.aliases)?;
        edit::remove(&context.local, &aliases)?;
        if self.json {
            context.screen.json(&json!({"forgotten": aliases}))?;
            return Ok(Exit::Done);
        }
        for alias in &aliases {
            let was = known.file.named().any(|named| named == alias);
            let said = if was { "forgotten" } else { "nothing was remembered of it" };
            context.screen.line(&plain::line(&format!("{alias}: {said}")))?;
        }
        Ok(Exit::Done)
    }
}

/// The hosts that can be named: those of the ssh configuration, and those that are gone from it but remembered.
struct Known {
    listing: Listing,
    file: HostsFile,
}

impl Known {
    fn of(context: &Context) -> Result<Self, Failure> {
        Ok(Self { listing: alias::list(&context.local)?, file: hosts::load(&context.local)? })
    }

    fn one(&self, word: &str) -> Result<Alias, Failure> {
        let remembered = self.file.named().find(|alias| alias.as_str() == word);
        remembered.map_or_else(|| alias::find(&self.listing, word).map(|listed| listed.alias.clone()), |alias| Ok(alias.clone()))
    }

    fn all(&self, words: &[String]) -> Result<Vec<Alias>, Failure> {
        words.iter().map(|word| self.one(word)).collect()
    }

    fn tell_usable(&self, context: &Context, json: bool) -> Result<Exit, Failure> {
        let file = hosts::load(&context.local)?;
        let usable: Vec<&str> = self
            .listing
            .hosts
            .iter()
            .filter(|listed| file.is_usable(&listed.alias))
            .map(|listed| listed.alias.as_str())
            .collect();
        if json {
            context.screen.json(&json!({"in_use": usable}))?;
            return Ok(Exit::Done);
        }
        let said = match usable.len() {
            0 => "none".to_owned(),
            all if all == self.listing.hosts.len() => "all hosts".to_owned(),
            _ => usable.join(", "),
        };
        context.screen.line(&plain::line(&format!("in use: {said}")))?;
        Ok(Exit::Done)
    }
}
