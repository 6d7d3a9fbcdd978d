//! One host, one set of known_hosts files, judged by the real `ssh` and by ours.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use outpost::failure::{Code, Failure};
use outpost::host::target::Target;
use outpost::ssh::algorithms;
use outpost::ssh::host_key::{Checker, Decision, Presented, pattern};
use russh::client;
use russh::keys::PublicKeyOrCertificate;

use crate::bed::{Host, Sandbox, append, run};

/// What becomes of a host key under StrictHostKeyChecking yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Known,
    Unknown,
    Changed,
    Revoked,
    /// A type or size that may not be used.
    Barred,
    /// RevokedHostKeys cannot be read.
    Unreadable,
}

/// A host, and keys that it does not have.
pub(crate) struct Lab {
    pub(crate) sandbox: Sandbox,
    pub(crate) host: Host,
    types: Vec<String>,
}

/// The name that the files should know the host by.
pub(crate) const NAME: &str = "box.example";

impl Lab {
    /// A host with keys of these types.
    pub(crate) fn new(types: &[&str]) -> Self {
        Self::in_sandbox(Sandbox::without_gate(), types)
    }

    /// The same where `outpost` may connect.
    pub(crate) fn with_gate(types: &[&str]) -> Self {
        Self::in_sandbox(Sandbox::new(), types)
    }

    fn in_sandbox(sandbox: Sandbox, types: &[&str]) -> Self {
        let host = sandbox.host("box").unknown().ssh(&format!("HostName {NAME}")).host_keys(types).build();
        let lab = Self { sandbox, host, types: types.iter().map(|t| (*t).to_owned()).collect() };
        for (name, kind) in [("other", "ed25519"), ("other_rsa", "rsa"), ("ca", "ed25519"), ("ca_rsa", "rsa")] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-N", "", "-t", kind, "-f"]).arg(lab.path(name));
            run(&mut command, b"").exits(0);
        }
        lab
    }

    /// A file of the lab.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.host.dir.join(name)
    }

    /// Writes a file of the lab; `{ed25519}`, `{other}` … in it become keys, `{hash:NAME}` a hashed name.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, self.fill(text)).unwrap();
        path
    }

    /// Puts keys and paths for the words in braces.
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut text = text.replace("{dir}", &self.host.dir.to_string_lossy());
        let own = self.types.iter().map(|t| (t.clone(), format!("hostkey_{t}")));
        let more = ["other", "other_rsa", "ca", "ca_rsa"].map(|n| (n.to_owned(), n.to_owned()));
        for (word, file) in own.chain(more) {
            text = text.replace(&format!("{{{word}}}"), &public(&self.path(&file)));
        }
        while let Some((before, rest)) = text.split_once("{hash:") {
            let (name, after) = rest.split_once('}').unwrap();
            text = format!("{before}{}{after}", pattern::hash(name));
        }
        text
    }

    /// Signs a key of the host (`ssh-keygen -s ca -h`); the host presents the certificate from now on.
    pub(crate) fn certify(&self, kind: &str, args: &[&str]) {
        let key = self.path(&format!("hostkey_{kind}"));
        let mut command = Command::new("ssh-keygen");
        command.arg("-q").args(args).args(["-I", "the host"]).arg(key.with_extension("pub")).current_dir(&self.host.dir);
        run(&mut command, b"").exits(0);
        append(&self.host.sshd_config(), &format!("HostCertificate {}-cert.pub\n", key.display()));
    }

    /// The arguments of `ssh` for these options; known hosts are the files `known` and `global` unless an option says else.
    pub(crate) fn args(&self, options: &[&str]) -> Vec<String> {
        let last = [
            "UserKnownHostsFile={dir}/known",
            "GlobalKnownHostsFile={dir}/global",
            "BatchMode=yes",
            "PreferredAuthentications=none",
        ];
        let all = options.iter().chain(&last).flat_map(|option| ["-o".to_owned(), self.fill(option)]);
        let config = ["-F".to_owned(), self.sandbox.ssh_config().display().to_string()];
        config.into_iter().chain(all).collect()
    }

    /// The real `ssh` in the lab's environment.
    pub(crate) fn ssh(&self, args: &[String]) -> Command {
        let mut command = Command::new("ssh");
        self.sandbox.clean(&mut command);
        command.args(args);
        command
    }

    /// What the real `ssh` says to people.
    pub(crate) fn ssh_says(&self, options: &[&str]) -> String {
        run(self.ssh(&self.args(options)).args(["box", "true"]), b"").stderr
    }

    /// The target, by `ssh -G`.
    pub(crate) fn target(&self, options: &[&str]) -> Target {
        let printed = run(self.ssh(&self.args(options)).args(["-G", "box"]), b"").exits(0).stdout;
        let plain = ["-F", "/dev/null", "-G", "box"].map(str::to_owned);
        let defaults = run(&mut self.ssh(&plain), b"").exits(0).stdout;
        Target::from_ssh_g("box".parse().unwrap(), &printed, &defaults)
    }

    /// Our checker.
    pub(crate) fn checker(&self, options: &[&str]) -> Result<Checker, Failure> {
        Checker::new(&self.target(options), &self.sandbox.local())
    }

    /// The verdict of the real `ssh`.
    pub(crate) fn by_ssh(&self, options: &[&str]) -> Verdict {
        let strict = [&["StrictHostKeyChecking=yes"], options].concat();
        let said = format!("\0{}", self.ssh_says(&strict));
        let signs = [
            ("Permission denied", Verdict::Known),
            ("host key is known for", Verdict::Unknown),
            // With UserKnownHostsFile none it says no more than this.
            ("\0Host key verification failed.\r\n", Verdict::Unknown),
            ("IDENTIFICATION HAS CHANGED", Verdict::Changed),
            ("REVOKED HOST KEY", Verdict::Revoked),
            ("revoked by file", Verdict::Revoked),
            ("in revoked keys file", Verdict::Unreadable),
            ("not permitted by HostkeyAlgorithms", Verdict::Barred),
            ("no matching host key type", Verdict::Barred),
            ("Invalid key length", Verdict::Barred),
        ];
        let found = signs.into_iter().find(|(sign, _)| said.contains(sign));
        found.map(|(_, verdict)| verdict).unwrap_or_else(|| panic!("ssh said {said}"))
    }

    /// Our verdict, from a handshake with the same sshd.
    pub(crate) fn by_us(&self, options: &[&str]) -> Verdict {
        let strict = [&["StrictHostKeyChecking=yes"], options].concat();
        match self.decide(&strict) {
            Ok(Decision::Known(_)) => Verdict::Known,
            Ok(Decision::Stop(failure)) | Err(failure) => of_failure(&failure),
            Ok(other) => panic!("{other:?}"),
        }
    }

    /// What we decide about the key that the host presents.
    pub(crate) fn decide(&self, options: &[&str]) -> Result<Decision, Failure> {
        let target = self.target(options);
        let checker = Checker::new(&target, &self.sandbox.local())?;
        let presented = self.presented(&target, &checker)?;
        Ok(checker.decide(&presented))
    }

    /// The key that the host presents to us.
    pub(crate) fn presented(&self, target: &Target, checker: &Checker) -> Result<Presented, Failure> {
        let config = client::Config { preferred: algorithms::preferred(target, checker)?, ..Default::default() };
        let seen = Arc::default();
        let probe = Probe(Arc::clone(&seen));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(async { client::connect_stream(Arc::new(config), self.host.connect_pipe(), probe).await });
        let seen = seen.lock().unwrap().take();
        seen.ok_or_else(|| Failure::new(Code::NoCommonAlgorithm, "shake hands").said(format!("{:?}", outcome.err())))
    }

    /// Both verdicts for one set of files, held against what is expected; `ours` where we deviate.
    #[track_caller]
    pub(crate) fn check(&self, case: &Case<'_>) {
        self.write("known", case.known);
        self.write("global", case.global);
        let (ssh, us) = (self.by_ssh(case.options), self.by_us(case.options));
        assert_eq!(
            ssh,
            case.expected,
            "ssh, {}\n{}",
            case.name,
            self.ssh_says(&[&["StrictHostKeyChecking=yes"], case.options].concat())
        );
        assert_eq!(us, case.ours.unwrap_or(case.expected), "we, {}", case.name);
    }
}

fn of_failure(failure: &Failure) -> Verdict {
    let codes = [
        (Code::HostKeyUnknown, Verdict::Unknown),
        (Code::HostCertificate, Verdict::Unknown),
        (Code::HostKeyChanged, Verdict::Changed),
        (Code::HostKeyRevoked, Verdict::Revoked),
        (Code::HostKeyFiles, Verdict::Unreadable),
        (Code::NoCommonAlgorithm, Verdict::Barred),
    ];
    codes.into_iter().find(|(code, _)| *code == failure.code).map(|(_, verdict)| verdict).unwrap_or_else(|| panic!("{failure:?}"))
}

/// A set of files and what is to come of it.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) name: &'a str,
    pub(crate) known: &'a str,
    pub(crate) global: &'a str,
    pub(crate) options: &'a [&'a str],
    pub(crate) expected: Verdict,
    pub(crate) ours: Option<Verdict>,
}

impl<'a> Case<'a> {
    /// One file, no options.
    pub(crate) fn new(name: &'a str, known: &'a str, expected: Verdict) -> Self {
        Self { name, known, global: "", options: &[], expected, ours: None }
    }
}

/// Looks at the key and goes.
struct Probe(Arc<Mutex<Option<Presented>>>);

impl client::Handler for Probe {
    type Error = russh::Error;

    async fn check_server_key(&mut self, presented: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        *self.0.lock().unwrap() = Some(Presented::new(presented));
        Ok(false)
    }
}

/// Type and key of a public key file, without the comment.
pub(crate) fn public(key: &Path) -> String {
    let text = std::fs::read_to_string(format!("{}.pub", key.display())).unwrap();
    text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
