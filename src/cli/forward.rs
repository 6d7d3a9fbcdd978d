//! `outpost forward`: ports of this machine that lead to a host, and the other way.

use std::collections::HashSet;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::run::signals;
use super::spinner::Spinner;
use super::{Context, plain};
use crate::failure::{Code, Exit, Failure};
use crate::name::Alias;
use crate::project::tunnel::{News, Rule, Side, Tunnel};

/// Let ports of this machine lead to ports of a host, until Ctrl-C.
///
/// For the server that the agent started: `outpost forward shop 3000`, and open http://127.0.0.1:3000. Only this machine can
/// use the ports. What listens where is printed first; a lost link is made again, and the ports stay. Ctrl-C is its usual end, and
/// exit code 0.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  outpost forward shop 3000\n  outpost forward devbox 8080:3000 5432:db.internal:5432\n  \
                  outpost forward devbox 0:3000            the system chooses the port here\n  \
                  outpost forward devbox -R 8888:3128      the host reaches your proxy as localhost:8888")]
pub struct Forward {
    /// The project, the host, or a folder on it.
    #[arg(value_name = "PROJECT|HOST")]
    place: String,
    /// A port here, and where it leads as seen from the host: the same port there, another, or one of a third machine.
    #[arg(value_name = "PORT[:[HOST:]PORT]", required_unless_present = "remote")]
    ports: Vec<String>,
    /// The other way: a port of the host that leads to one here, or to one that this machine reaches.
    #[arg(short = 'R', long, value_name = "PORT[:[HOST:]PORT]")]
    remote: Vec<String>,
    /// Print one JSON object a line: what listens, and what becomes of the link and the ports.
    #[arg(long)]
    json: bool,
}

/// How much news may wait to be shown; then the forwards wait for the screen.
const WAITING: usize = 64;

impl Forward {
    /// Serves until a signal.
    ///
    /// # Errors
    /// [`Code::PortTaken`]; what stands in the way of the host; what only a person can mend when the link is made again.
    pub async fn run(&self, context: &Context) -> Result<Exit, Failure> {
        crate::config::gate::require(&context.local)?;
        let alias = context.place_or_host(&self.place)?.alias;
        let rules = self.rules()?;
        let mut wishes = signals::listen()?;
        let spinner = Spinner::new(context, alias.as_str(), context.screen.interactive && !self.json);
        let session = context.behind(&spinner);
        let Some(tunnel) = signals::or_wished(Tunnel::open(&session, &alias, &rules), &mut wishes).await else {
            return Ok(Exit::Interrupted);
        };
        let tunnel = tunnel?;
        drop(spinner);
        let mut teller = Teller { context, alias: &alias, json: self.json, lost: false, told: HashSet::new() };
        teller.announce(&tunnel)?;
        let (sender, news) = mpsc::channel(WAITING);
        let stop = async { drop(wishes.recv().await) };
        tokio::select! {
            served = tunnel.serve(sender, stop) => served.map(|()| ended(context)).map_err(|why| why.at(&alias)),
            told = teller.tell(news) => told.map(|()| Exit::Done),
        }
    }

    fn rules(&self) -> Result<Vec<Rule>, Failure> {
        let here = self.ports.iter().map(|word| word.parse());
        let there = self.remote.iter().map(|word| word.parse::<Rule>().map(|rule| Rule { side: Side::There, ..rule }));
        let rules = here.chain(there).collect::<Result<Vec<Rule>, _>>()?;
        let mut seen = HashSet::new();
        match rules.iter().find(|rule| rule.port != 0 && !seen.insert((rule.side == Side::Here, rule.port))) {
            Some(twice) => Err(Failure::new(Code::Usage, format!("listen on port {} twice", twice.port))
                .hint("two ports must differ: 8080:3000 gives the second another one here, 0:3000 lets the system choose")),
            None => Ok(rules),
        }
    }
}

/// What comes next on the terminal does not stand behind its ^C.
fn ended(context: &Context) -> Exit {
    context.screen.note_piece(if context.screen.interactive { "\n" } else { "" });
    Exit::Done
}

/// Tells the person, or the program, what listens and what happens.
struct Teller<'a> {
    context: &'a Context,
    alias: &'a Alias,
    json: bool,
    lost: bool,
    /// What need not be said again.
    told: HashSet<String>,
}

impl Teller<'_> {
    fn announce(&self, tunnel: &Tunnel) -> Result<(), Failure> {
        for rule in tunnel.rules() {
            if self.json {
                let side = if rule.side == Side::Here { "local" } else { "remote" };
                self.line("listening", &json!({"side": side, "port": rule.port, "to": rule.end()}))?;
            } else {
                self.context.screen.line(&plain::line(&shown(rule, self.alias)))?;
            }
        }
        if !self.json {
            self.context.screen.note("forwarding; Ctrl-C ends it");
        }
        Ok(())
    }

    async fn tell(&mut self, mut news: mpsc::Receiver<News>) -> Result<(), Failure> {
        while let Some(news) = news.recv().await {
            self.one(news)?;
        }
        std::future::pending().await
    }

    fn one(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Lost { why, again } => {
                let fields = json!({"state": "lost", "why": why.to_string(), "again_ms": millis(again)});
                let first = !std::mem::replace(&mut self.lost, true);
                self.say("link", &fields, first.then(|| format!("{}: the link is lost, trying again ({why})", self.alias)))
            }
            News::Back { away } => {
                self.lost = false;
                self.told.clear();
                let text = format!("{}: the link is back after {:.0} s", self.alias, away.as_secs_f64());
                self.say("link", &json!({"state": "up", "away_ms": millis(away)}), Some(text))
            }
            News::Unreached(rule, why) => self.port(&rule, "unreached", (reason(&why), why.to_string())),
            News::Deaf(rule, why) => self.port(&rule, "deaf", (why.to_string(), why.to_string())),
            News::Broke(rule, why) => self.port(&rule, "broke", (why.to_string(), why.to_string())),
        }
    }

    /// Something about one port; what was said of it before is not said to a person again.
    fn port(&mut self, rule: &Rule, what: &str, (short, why): (String, String)) -> Result<(), Failure> {
        let said = format!("{}: {short}", shown(rule, self.alias));
        let fields = json!({"state": what, "port": rule.port, "to": rule.end(), "why": why});
        let news = self.told.insert(said.clone());
        self.say("port", &fields, news.then_some(said))
    }

    fn say(&self, kind: &str, fields: &Value, text: Option<String>) -> Result<(), Failure> {
        if self.json {
            return self.line(kind, fields);
        }
        if let Some(text) = text {
            self.context.screen.note(&plain::line(&text));
        }
        Ok(())
    }

    fn line(&self, kind: &str, fields: &Value) -> Result<(), Failure> {
        let mut line = json!({"v": 1, "type": kind, "host": self.alias});
        if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object()) {
            line.extend(fields.clone());
        }
        self.context.screen.json(&line)
    }
}

/// What is told of a port, and of a lost link, as it is shown.
#[cfg(test)]
pub(super) fn told(rule: &Rule, host: &str, why: &Failure) -> Vec<String> {
    let alias = "devbox".parse().map(|alias: Alias| shown(rule, &alias)).unwrap_or_default();
    let lost = format!("{host}: the link is lost, trying again ({why})");
    [alias.clone(), format!("{alias}: {}", reason(why)), lost].iter().map(|text| plain::line(text)).collect()
}

/// What came back, where that is enough: the line names the port and the host already.
fn reason(why: &Failure) -> String {
    if why.said.is_empty() { why.to_string() } else { why.said.clone() }
}

fn shown(rule: &Rule, alias: &Alias) -> String {
    match rule.side {
        Side::Here => format!("127.0.0.1:{} -> {alias}, {}", rule.port, rule.end()),
        Side::There => format!("{alias}, localhost:{} -> {}", rule.port, rule.end()),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
