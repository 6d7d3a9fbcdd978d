//! The one shape of a failure: a stable code, and what a person needs to mend it.
//!
//! Every layer returns [`Failure`]; `docs/decisions/0001-one-failure.md` says why there is no error enum per layer.

use std::fmt;

/// The exit codes of `outpost`; `docs/EXIT-CODES.md` explains them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// The work was done.
    Done,
    /// The work failed or was interrupted.
    Failed,
    /// The command line makes no sense.
    Usage,
    /// The feature is switched off.
    GateOff,
    /// A configuration file, or a name that it should hold.
    Config,
    /// SSH: unreachable, refused, host key, lost.
    Ssh,
    /// The remote is not ready: no codex, too old, the server will not start, no such folder.
    Remote,
    /// A person pressed Ctrl-C before there was a turn to interrupt.
    Interrupted,
    /// The status of a command that was run for a person, whatever it means.
    Passed(u8),
}

impl Exit {
    /// The code for the system.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::GateOff => 3,
            Self::Config => 4,
            Self::Ssh => 5,
            Self::Remote => 6,
            Self::Interrupted => 130,
            Self::Passed(status) => status,
        }
    }
}

/// Who can mend a failure; the reconnect policy goes by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// Trying again later may help.
    Wait,
    /// Only a person can mend it; trying again is rude and may lock them out.
    Person,
}

macro_rules! codes {
    ($($(#[doc = $meaning:literal])+ $name:ident = $text:literal, $exit:ident, $remedy:ident;)+) => {
        /// A stable code for each cause; `docs/FAILURES.md` lists them, a test holds it to this list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $($(#[doc = $meaning])+ $name,)+ }

        impl Code {
            /// All codes, in the order of the phases.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The code as it stands in `--json` and in brackets behind an error.
            #[must_use]
            pub fn as_str(self) -> &'static str { match self { $(Self::$name => $text,)+ } }

            /// What it means, in a sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str { match self { $(Self::$name => concat!($($meaning),+).trim_ascii(),)+ } }

            /// The exit code of a command that ends with it.
            #[must_use]
            pub fn exit(self) -> Exit { match self { $(Self::$name => Exit::$exit,)+ } }

            /// Who can mend it.
            #[must_use]
            pub fn remedy(self) -> Remedy { match self { $(Self::$name => Remedy::$remedy,)+ } }
        }
    };
}

codes! {
    /// The command line makes no sense.
    Usage = "usage", Usage, Person;
    /// `[features] remote_connections` is not true in config.toml.
    GateOff = "gate-off", GateOff, Person;
    /// Codex's config.toml cannot be read or parsed.
    ConfigBroken = "config-broken", Config, Person;
    /// One of Outpost's own files (hosts.toml, projects.toml) cannot be read, parsed or written.
    SettingsBroken = "settings-broken", Config, Person;
    /// The ssh configuration cannot be read.
    SshConfigUnreadable = "ssh-config-unreadable", Config, Person;
    /// No `Host` line of the ssh configuration names this host.
    HostUnknown = "host-unknown", Config, Person;
    /// A host that was switched off with `hosts disable`.
    HostDisabled = "host-disabled", Config, Person;
    /// `ssh -G` refused the configuration for this host.
    ResolveRefused = "resolve-refused", Config, Person;
    /// `ssh -G` did not answer in time (a `Match exec` or a DNS look-up).
    ResolveTimeout = "resolve-timeout", Config, Person;
    /// No `ssh` is installed and the configuration uses what Outpost cannot evaluate alone.
    ResolveUnsupported = "resolve-unsupported", Config, Person;
    /// The configuration asks for something only the system `ssh` can do.
    KeywordUnsupported = "keyword-unsupported", Config, Person;
    /// No project or thread goes by this name.
    NameUnknown = "name-unknown", Config, Person;

    /// The host name has no address.
    NameNotFound = "ssh-name-not-found", Ssh, Wait;
    /// No connection to the address: refused, no route, reset.
    Unreachable = "ssh-unreachable", Ssh, Wait;
    /// The host did not answer within ConnectTimeout.
    ConnectTimeout = "ssh-timeout", Ssh, Wait;
    /// The ProxyCommand ended or could not be started.
    ProxyCommand = "ssh-proxy-command", Ssh, Wait;
    /// A jump host would not open the way to the next one.
    JumpRefused = "ssh-jump-refused", Ssh, Wait;
    /// What answered is not an SSH server, or it broke the protocol.
    NotSsh = "ssh-protocol", Ssh, Wait;
    /// Client and server have no algorithm in common.
    NoCommonAlgorithm = "ssh-no-common-algorithm", Ssh, Person;
    /// The host key is not known and nobody accepted it.
    HostKeyUnknown = "host-key-unknown", Ssh, Person;
    /// The host key is not the one that known_hosts has: possibly somebody in between.
    HostKeyChanged = "host-key-changed", Ssh, Person;
    /// The host key, or the authority that signed it, is revoked.
    HostKeyRevoked = "host-key-revoked", Ssh, Person;
    /// The host certificate is expired, for another name, or badly signed.
    HostCertificate = "host-certificate", Ssh, Person;
    /// A file of known or revoked host keys cannot be read.
    HostKeyFiles = "host-key-files", Ssh, Person;
    /// The server refused every way to log in that we had.
    AuthRefused = "auth-refused", Ssh, Person;
    /// Logging in needs an answer from a person and there is nobody to ask.
    AuthNeedsPerson = "auth-needs-person", Ssh, Person;
    /// A person gave no answer to a question.
    AuthCancelled = "auth-cancelled", Ssh, Person;
    /// The password has expired and must be changed before anything else.
    PasswordExpired = "auth-password-expired", Ssh, Person;
    /// The server cut the connection while we logged in (too many tries, a penalty, MaxStartups).
    AuthCut = "auth-cut", Ssh, Wait;
    /// The server opened no further channel (MaxSessions, a forbidden forward).
    ChannelRefused = "ssh-channel-refused", Ssh, Person;
    /// The system `ssh` used as the carrier failed.
    CarrierFailed = "ssh-carrier", Ssh, Wait;
    /// The link was lost.
    LinkLost = "link-lost", Ssh, Wait;
    /// The alias now leads to another machine, user or CODEX_HOME.
    OtherMachine = "other-machine", Ssh, Person;

    /// The login shell ended without running our script.
    ShellSilent = "shell-silent", Remote, Person;
    /// The start-up files of the login shell take long.
    ShellSlow = "shell-slow", Remote, Person;
    /// PATH of the login shell lacks the folders that every program expects there.
    PathBroken = "path-incomplete", Remote, Person;
    /// The login shell took longer than the limit.
    ShellTimeout = "shell-timeout", Remote, Wait;
    /// The account may not run commands: nologin or a vendor's shell.
    ShellRestricted = "shell-restricted", Remote, Person;
    /// The account is for file transfer only.
    SftpOnly = "sftp-only", Remote, Person;
    /// A start-up file replaces the shell with another program, or ends it.
    ShellReplaced = "shell-replaced", Remote, Person;
    /// A start-up file reads all of standard input, and no other way to the server is open.
    ShellReadsInput = "shell-reads-input", Remote, Person;
    /// The `run_through` command of the host's settings did not run our script.
    RunThroughFailed = "run-through-failed", Remote, Person;
    /// The host runs Windows natively.
    WindowsHost = "windows-host", Remote, Person;
    /// The remote's answer to our script cannot be read.
    FactsBroken = "facts-broken", Remote, Person;
    /// No `codex` on the login PATH.
    CodexMissing = "codex-missing", Remote, Person;
    /// `codex` is a Node.js program and there is no `node` where it runs.
    CodexNoNode = "codex-no-node", Remote, Person;
    /// A newer `codex` than the one that runs is on the host.
    CodexOlder = "codex-not-newest", Remote, Person;
    /// A program that belongs to Codex is not there.
    CompanionMissing = "companion-missing", Remote, Person;
    /// Codex's sandbox for commands cannot start on the host.
    SandboxBroken = "sandbox-broken", Remote, Person;
    /// The host cannot reach the model's address.
    ApiUnreachable = "api-unreachable", Remote, Person;
    /// The environment of the host holds network settings that cannot be used, such as a file of authorities.
    NetworkEnvironment = "network-environment", Remote, Person;
    /// Codex's config.toml on the host cannot be read or parsed.
    CodexConfig = "codex-config-broken", Remote, Person;
    /// `codex` could not be run.
    CodexBroken = "codex-broken", Remote, Person;
    /// The `codex` is older than what can be used.
    CodexTooOld = "codex-too-old", Remote, Person;
    /// CODEX_HOME is set on the remote and names no folder there.
    CodexHomeMissing = "codex-home-missing", Remote, Person;
    /// CODEX_HOME on the remote takes no files: it is read-only, full or not the account's.
    HomeNotWritable = "home-not-writable", Remote, Person;
    /// The remote Codex is not signed in.
    NotSignedIn = "not-signed-in", Remote, Person;
    /// The app-server ended while starting.
    ServerDied = "server-died", Remote, Person;
    /// The app-server did not answer in time.
    ServerSilent = "server-silent", Remote, Wait;
    /// The app-server was told to stop: it ends when its turns do, and takes no new ones.
    ServerDraining = "server-draining", Remote, Wait;
    /// The path of the socket is longer than the system allows.
    SocketPathLong = "socket-path-long", Remote, Person;
    /// The socket, or the folder it is in, belongs to somebody else or is open to others.
    SocketForeign = "socket-foreign", Remote, Person;
    /// The app-server refused the folder for its socket.
    SocketRefused = "socket-refused", Remote, Person;
    /// The app-server of this CODEX_HOME runs on another host that shares it.
    ServerElsewhere = "server-elsewhere", Remote, Person;
    /// CODEX_HOME is shared with another host on which Outpost has started a server.
    HomeShared = "home-shared", Remote, Person;
    /// The running app-server is of another release than the `codex` on the disk.
    VersionSkew = "version-skew", Remote, Person;
    /// An app-server on the host listens for everybody and asks nobody who they are.
    PublicListener = "public-listener", Remote, Person;
    /// Codex's own updater runs on the host: it restarts the app-server and ends its turns.
    UpdaterRunning = "updater-running", Remote, Person;
    /// `codex doctor` did not end in time.
    DoctorSlow = "doctor-slow", Remote, Wait;
    /// The app-server runs inside the session: the work stops when the link does.
    ServerAttached = "server-attached", Remote, Person;
    /// The host is set up to end what a session leaves behind.
    SessionEnds = "host-ends-sessions", Remote, Person;
    /// Codex could not be installed.
    InstallFailed = "install-failed", Remote, Person;
    /// Codex is being installed on the host already.
    InstallRunning = "install-running", Remote, Wait;
    /// Codex could not be signed in or out.
    LoginFailed = "login-failed", Remote, Person;
    /// git made no worktree.
    WorktreeFailed = "worktree-failed", Remote, Person;
    /// The app-server of the host was started by somebody else.
    NotOurs = "server-not-ours", Remote, Person;
    /// We started no server on this host, or its log is gone.
    LogMissing = "log-missing", Remote, Person;
    /// CODEX_HOME is on a file system on which Codex's databases do not work.
    NetworkHome = "network-home", Remote, Person;
    /// The host ended the app-server that an earlier session left behind.
    ServerReaped = "server-reaped", Remote, Wait;
    /// Another process on the remote writes to this thread.
    ActiveWriter = "active-writer", Remote, Person;
    /// The app-server refused a request.
    ServerRefused = "server-refused", Remote, Person;
    /// The app-server broke its protocol.
    ServerProtocol = "server-protocol", Remote, Person;
    /// A message would be larger than the 16 MiB that the server takes.
    MessageTooLarge = "message-too-large", Remote, Person;
    /// The folder does not exist on the remote.
    FolderMissing = "folder-missing", Remote, Person;
    /// The path on the remote is not a directory.
    FolderNotDirectory = "folder-not-a-directory", Remote, Person;
    /// The folder on the remote cannot be read.
    FolderUnreadable = "folder-unreadable", Remote, Person;
    /// The folder on the remote is in no git repository.
    NotARepository = "not-a-repository", Remote, Person;
    /// macOS guards the folder from programs that came over SSH.
    FolderGuarded = "folder-guarded", Remote, Person;

    /// The turn was interrupted.
    TurnInterrupted = "turn-interrupted", Failed, Person;
    /// Whether a request was carried out is not known.
    NotKnown = "not-known", Failed, Person;
    /// A turn runs in the thread, and what was asked for would end it.
    TurnRuns = "turn-runs", Failed, Person;
    /// There is no `codex` on this machine to open a project with.
    LocalCodexMissing = "local-codex-missing", Failed, Person;
    /// The `codex` of this machine is older than what can be used with a host.
    LocalCodexTooOld = "local-codex-too-old", Failed, Person;
    /// The folder of a local socket belongs to somebody else or is open to others.
    LocalFolderForeign = "local-folder-foreign", Failed, Person;
    /// Somebody serves at the path of a local socket already, or what is there is no socket.
    LocalSocketTaken = "local-socket-taken", Failed, Person;
    /// A port of this machine is taken, or is not for everybody.
    PortTaken = "port-taken", Failed, Person;
    /// This machine refused something: a file, a pipe, memory.
    LocalIo = "local-io", Failed, Person;
    /// A person pressed Ctrl-C.
    Interrupted = "interrupted", Interrupted, Person;
}

/// What went wrong, where, what was tried, what came back, and what to do now.
///
/// `said` and `tried` may hold text of the remote as it came: whoever prints them neutralises it first
/// (see [`crate::cli::plain`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code.
    pub code: Code,
    /// The host, or the hop of a jump chain, that it happened at.
    pub host: Option<String>,
    /// What was tried, in a few words or as the command line ("connect to 10.0.0.7 port 22").
    pub tried: String,
    /// What came back, in the words of whoever said it; empty when nothing came.
    pub said: String,
    /// What to do now; empty only where nothing can be done.
    pub hint: String,
}

impl Failure {
    /// A failure with nothing but what was tried.
    pub fn new(code: Code, tried: impl Into<String>) -> Self {
        Self { code, host: None, tried: tried.into(), said: String::new(), hint: String::new() }
    }

    /// With the words that came back.
    #[must_use]
    pub fn said(mut self, said: impl fmt::Display) -> Self {
        self.said = said.to_string();
        self
    }

    /// With what to do now.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// With the host, unless a deeper layer has already named the hop; the hint names it too.
    #[must_use]
    pub fn at(mut self, host: impl fmt::Display) -> Self {
        let host = self.host.get_or_insert_with(|| host.to_string());
        self.hint = naming(&self.hint, host);
        self
    }
}

/// The word that stands for the host in a hint which is written where the host is not known.
const PLACEHOLDER: &str = "HOST";

/// A hint with the host in place of each word `HOST`, also before a path or the id of a thread; the `HOST:PATH` and `HOST:ID` of a
/// usage text are left as they are.
#[must_use]
pub fn naming(hint: &str, host: &str) -> String {
    let ends_word = |c: char| c.is_whitespace() || "`'\"(),;.".contains(c);
    let mut named = String::with_capacity(hint.len());
    let mut rest = hint;
    while let Some((before, after)) = rest.split_once(PLACEHOLDER) {
        named.push_str(before);
        let usage = |rest: &str| rest.is_empty() || ["PATH", "ID"].iter().any(|word| rest.starts_with(word));
        let a_place = after.strip_prefix(':').is_some_and(|rest| !usage(rest));
        let whole = named.chars().next_back().is_none_or(ends_word) && (a_place || after.chars().next().is_none_or(ends_word));
        named.push_str(if whole { host } else { PLACEHOLDER });
        rest = after;
    }
    named + rest
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}: ")?;
        }
        f.write_str(&self.tried)?;
        if !self.said.is_empty() {
            write!(f, ": {}", self.said)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests;
