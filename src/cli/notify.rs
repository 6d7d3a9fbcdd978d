//! Telling a person who looks elsewhere: a notification of the desktop, or the terminal's bell where there is none.

use std::fs::OpenOptions;
use std::io::Write;
use std::time::Duration;

use super::plain;
use super::table::cut;
use crate::thread::event::TurnEnd;

/// How long the desktop may take.
const LIMIT: Duration = Duration::from_secs(2);
/// The longest line of a notification, in columns.
const LONGEST: usize = 160;

/// What a person is told of.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// A turn ended, with these as the agent's last words.
    Ended(&'a TurnEnd, &'a str),
    /// A person is needed, for this.
    Asked(&'a str),
    /// The command failed.
    Failed(&'a str),
}

/// A notification; its texts are harmless, short, and hold no markup.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Notice {
    title: String,
    body: String,
}

impl Notice {
    fn of(place: &str, news: News<'_>) -> Self {
        let (what, body) = match news {
            News::Ended(TurnEnd::Completed, last) => ("done", last.trim().lines().next().unwrap_or_default()),
            News::Ended(TurnEnd::Interrupted, _) => ("interrupted", ""),
            News::Ended(TurnEnd::Failed(why), _) => ("the turn failed", why.as_str()),
            News::Asked(what) => ("you are asked", what),
            News::Failed(why) => ("failed", why),
        };
        Self { title: short(&format!("{place}: {what}")), body: short(body) }
    }
}

/// One harmless line. A desktop may read markup in it and offer links: what begins some is replaced by what looks like it.
fn short(remote: &str) -> String {
    let line = plain::line(remote).replace('<', "‹").replace('>', "›").replace('&', "＆");
    cut(&line, LONGEST)
}

/// Tells it.
pub async fn tell(place: &str, news: News<'_>) {
    let notice = Notice::of(place, news);
    if !matches!(tokio::time::timeout(LIMIT, desktop(&notice)).await, Ok(true)) {
        bell();
    }
}

#[cfg(all(unix, not(target_os = "macos")))]
async fn desktop(notice: &Notice) -> bool {
    built(notice).show_async().await.is_ok()
}

#[cfg(not(all(unix, not(target_os = "macos"))))]
async fn desktop(notice: &Notice) -> bool {
    let built = built(notice);
    tokio::task::spawn_blocking(move || built.show().is_ok()).await.unwrap_or(false)
}

fn built(notice: &Notice) -> notify_rust::Notification {
    let mut built = notify_rust::Notification::new();
    built.appname("outpost").summary(&notice.title).body(&notice.body);
    built
}

/// Rings the terminal, whatever the streams lead to; without one nobody is there to hear it.
fn bell() {
    if let Ok(mut terminal) = OpenOptions::new().write(true).open("/dev/tty") {
        drop(terminal.write_all(b"\x07"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_notice_is_short_and_says_where() {
        let failed = TurnEnd::Failed("no <b>such</b> thing & \u{1b}]0;x\u{7}more\nlines".into());
        let done = News::Ended(&TurnEnd::Completed, "All is well.\nAnd more.\n");
        let notices = [done, News::Ended(&failed, "x"), News::Asked("touch x"), News::Failed("gone")];
        let texts: Vec<String> = notices
            .iter()
            .map(|news| Notice::of("devbox:/w", *news))
            .map(|n| format!("{} | {}", n.title, n.body).trim_end().to_owned())
            .collect();
        insta::assert_snapshot!(texts.join("\n"), @r"
        devbox:/w: done | All is well.
        devbox:/w: the turn failed | no ‹b›such‹/b› thing ＆ ␛]0;x␇more␊lines
        devbox:/w: you are asked | touch x
        devbox:/w: failed | gone
        ");
    }

    proptest! {
        #[test]
        fn nothing_of_a_remote_gets_out(text in "\\PC*|[\u{0}-\u{ff}<>&\u{202e}]*") {
            let notice = Notice::of(&text, News::Asked(&text));
            for line in [notice.title, notice.body] {
                let odd = line.chars().find(|c| c.is_control() || "<>&\u{202e}".contains(*c));
                prop_assert_eq!(odd, None);
                prop_assert!(unicode_width::UnicodeWidthStr::width(line.as_str()) <= LONGEST + 1);
            }
        }
    }
}
