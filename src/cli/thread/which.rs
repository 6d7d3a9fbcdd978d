//! Which thread is meant: `HOST:ID` or `PROJECT:ID`, a name in place of the id; or an id alone that one host is known to have.

use super::Found;
use crate::cli::run::which;
use crate::cli::spinner::Spinner;
use crate::cli::threads::copy;
use crate::cli::{Context, plain};
use crate::failure::{Code, Failure};
use crate::name::Alias;
use crate::project;
use crate::remote::Want;

/// As it was written.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Which {
    place: Option<String>,
    id: String,
}

/// How it is written.
const WRITTEN: &str = "a thread is written HOST:ID or PROJECT:ID";

impl std::str::FromStr for Which {
    type Err = String;
    fn from_str(word: &str) -> Result<Self, String> {
        let (place, id) = word.split_once(':').map_or((None, word), |(place, id)| (Some(place), id));
        // Whoever writes a folder means something else.
        if place == Some("") || id.trim().is_empty() || id.starts_with(['/', '~', '.']) {
            return Err(WRITTEN.to_owned());
        }
        Ok(Self { place: place.map(str::to_owned), id: id.to_owned() })
    }
}

impl Which {
    /// Its host and its id.
    pub(super) fn read(&self, context: &Context) -> Result<(Alias, String), Failure> {
        match &self.place {
            Some(place) => context.host_or_project(place).map(|(alias, _)| (alias, self.id.clone())),
            None => self.known(context),
        }
    }

    /// A thread of which the host was not said: it may have been listed before.
    fn known(&self, context: &Context) -> Result<(Alias, String), Failure> {
        let listing = crate::host::alias::list(&context.local)?;
        let mut found: Vec<(Alias, String, String)> = Vec::new();
        for listed in &listing.hosts {
            let threads = copy::ids(&context.local, &listed.alias).into_iter();
            let means = |(id, title): &(String, String)| id.starts_with(&self.id) || *title == self.id;
            found.extend(threads.filter(means).map(|(id, title)| (listed.alias.clone(), id, title)));
        }
        let unknown =
            |said: String| Failure::new(Code::Usage, format!("find the thread '{}'", self.id.escape_debug())).said(said);
        match found.as_slice() {
            [(alias, id, _)] => Ok((alias.clone(), id.clone())),
            [] => Err(unknown(format!("{WRITTEN}, and no thread that was listed begins with this"))
                .hint("`outpost threads` lists the threads of your hosts")),
            several => {
                let line = |(alias, id, title): &(Alias, String, String)| format!("{alias}:{id}  {title}");
                let lines: Vec<String> = several.iter().map(|thread| plain::line(&line(thread))).collect();
                Err(unknown(format!("several are known by it\n{}", lines.join("\n"))).hint("give the host, and more of the id"))
            }
        }
    }

    /// The home folder of its host, as a place, because the thread knows its own folder; and its id.
    pub(super) fn host(&self, context: &Context) -> Result<(String, String), Failure> {
        crate::config::gate::require(&context.local)?;
        let (alias, id) = self.read(context)?;
        Ok((format!("{alias}:"), id))
    }

    /// Reaches the thread's host and finds the thread there.
    pub(super) async fn find(&self, context: &Context) -> Result<Found, Failure> {
        crate::config::gate::require(&context.local)?;
        let (alias, id) = self.read(context)?;
        let spinner = Spinner::new(context, alias.as_str(), context.screen.interactive);
        let host = project::reach(&context.behind(&spinner), &alias, Want::server()).await?;
        drop(spinner);
        let view = which::by_id(&host.server.peer, &id).await.map_err(|e| e.at(&alias))?;
        Ok(Found { alias, host, view })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_written_with_their_host() {
        let which: Which = "devbox:0199-a".parse().expect("a thread");
        assert_eq!((which.place.as_deref(), which.id.as_str()), (Some("devbox"), "0199-a"));
        let named: Which = "shop:the login page".parse().expect("a name");
        assert_eq!((named.place.as_deref(), named.id.as_str()), (Some("shop"), "the login page"));
        let alone: Which = "0199-a".parse().expect("an id");
        assert_eq!((alone.place, alone.id.as_str()), (None, "0199-a"));
        for bad in ["", "devbox:", ":x", "devbox:~/app", "devbox:/srv/app", "devbox: ", "/srv"] {
            assert!(bad.parse::<Which>().is_err(), "{bad}");
        }
    }
}
