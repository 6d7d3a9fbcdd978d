//! Which process of a host has a thread open: Codex keeps a lock file open for each thread that it writes, and no other may.

use super::repository::ran;
use crate::failure::{Code, Failure};
use crate::name::ThreadId;
use crate::rpc::peer::Peer;

/// A line for each lock that a codex of the account has open: process, thread, command line. Where there is no /proc it prints
/// nothing.
const LOOK: &str = r#"
d=
for p in /proc/[0-9]*; do
c=; { read -r c <"$p/comm"; } 2>/dev/null
case $c in codex*) d="$d $p/fd" ;; esac
done
[ -n "$d" ] || exit 0
ls -l /dev/null $d 2>/dev/null |
sed -n 's|^/proc/\([0-9]*\)/fd:$|\1|p; s|.*/thread-writer-locks/\([0-9A-Za-z-]*\)\.lock$|= \1|p' |
while read -r a b; do
case $a in
=) printf '%s %s %s\n' "$pid" "$b" "$(tr '\000\n' '  ' <"/proc/$pid/cmdline" 2>/dev/null)" ;;
*) pid=$a ;;
esac
done"#;

/// A process that has a thread open.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Writer {
    /// The thread.
    #[serde(skip)]
    pub thread: String,
    /// Its number on the host.
    pub pid: u32,
    /// Its command line.
    pub command: String,
}

/// The threads that are open on the host, as far as it lets us see: not where it has no /proc, nor what another account has.
pub async fn all(peer: &Peer) -> Vec<Writer> {
    let ran = ran(peer, &["/bin/sh", "-c", LOOK], "/").await;
    ran.ok().and_then(|(printed, _)| printed).map_or(Vec::new(), |printed| printed.lines().filter_map(read).collect())
}

fn read(line: &str) -> Option<Writer> {
    let mut words = line.splitn(3, ' ');
    let (pid, thread, command) = (words.next()?.parse().ok()?, words.next()?.to_owned(), words.next()?);
    // The program without its folders: what it was told is what tells it from others.
    let (program, args) = command.trim().split_once(' ').unwrap_or((command.trim(), ""));
    let program = program.rsplit('/').next().unwrap_or(program);
    Some(Writer { thread, pid, command: format!("{program} {args}").trim_end().to_owned() })
}

/// What a person is told of the refusal to take up a thread that another process has open.
pub(super) async fn named(peer: &Peer, id: &ThreadId, refused: Failure) -> Failure {
    if refused.code != Code::ActiveWriter {
        return refused;
    }
    let who = match all(peer).await.into_iter().find(|writer| writer.thread == id.as_str()) {
        Some(writer) => format!("process {} there ({})", writer.pid, writer.command),
        None => "another Codex on that host".to_owned(),
    };
    refused.hint(format!(
        "{who} has this thread open: close it there; until then `outpost thread log HOST:{id}` reads it. Where the app-server runs \
         inside the session only because the host is set so, let it join the other: outpost hosts set HOST session_attached="
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_named_by_what_it_was_told() {
        let writer = |command: &str| Some(Writer { thread: "0199-a".into(), pid: 47, command: command.into() });
        assert_eq!(read("47 0199-a /opt/codex exec fix it "), writer("codex exec fix it"));
        assert_eq!(read("47 0199-a codex"), writer("codex"));
        assert_eq!((read(""), read("x 0199 codex"), read("47 0199-a")), (None, None, None));
    }
}
