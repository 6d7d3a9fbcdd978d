//! Logging in where a real sshd without PAM cannot play along: russh's own server behind a port of its own.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use outpost::failure::{Code, Failure};
use outpost::host::target::Target;
use outpost::paths::Local;
use outpost::ssh::ask::{Answer, Ask, NoAnswer, NobodyToAsk, Question, Secret};
use outpost::ssh::session::{Context, Session};
use outpost::step::Watch;
use russh::keys::PrivateKey;
use russh::server::{Auth, Config, Handler, Response};
use russh::{MethodKind, MethodSet};
use tokio::io::AsyncWriteExt;

use crate::bed::Sandbox;
pub(crate) use person::{Notes, Person};

mod expired;
mod person;
mod questions;

type Round = (&'static str, &'static str, Vec<(Cow<'static, str>, bool)>);

/// What the server wants to see.
#[derive(Clone, Default)]
struct Ward {
    password: Option<&'static str>,
    /// Each round of questions and the answers that go on to the next.
    rounds: Vec<(Round, Vec<&'static str>)>,
    /// A key that is half of what is wanted.
    key_first: bool,
    at: usize,
    passed_key: bool,
    tries: Arc<Mutex<Vec<String>>>,
}

impl Ward {
    fn offers(&self) -> MethodSet {
        let mut methods = MethodSet::empty();
        if self.key_first && !self.passed_key {
            methods.push(MethodKind::PublicKey);
            return methods;
        }
        if !self.rounds.is_empty() {
            methods.push(MethodKind::KeyboardInteractive);
        }
        if self.password.is_some() {
            methods.push(MethodKind::Password);
        }
        methods
    }

    fn no(&self) -> Auth {
        Auth::Reject { proceed_with_methods: Some(self.offers()), partial_success: false }
    }

    fn note(&self, what: impl Into<String>) {
        self.tries.lock().unwrap().push(what.into());
    }

    fn ask(&self) -> Auth {
        match self.rounds.get(self.at) {
            None => Auth::Accept,
            Some(((name, instructions, prompts), _)) => {
                Auth::Partial { name: (*name).into(), instructions: (*instructions).into(), prompts: prompts.clone().into() }
            }
        }
    }
}

impl Handler for Ward {
    type Error = russh::Error;

    async fn auth_none(&mut self, _: &str) -> Result<Auth, russh::Error> {
        self.note("none");
        Ok(self.no())
    }

    async fn auth_password(&mut self, _: &str, password: &str) -> Result<Auth, russh::Error> {
        self.note("password");
        Ok(if self.password == Some(password) { Auth::Accept } else { self.no() })
    }

    async fn auth_publickey_offered(&mut self, _: &str, _: russh::server::PublicKeyOffer<'_>) -> Result<Auth, russh::Error> {
        Ok(if self.key_first { Auth::Accept } else { self.no() })
    }

    async fn auth_publickey(&mut self, _: &str, _: russh::server::VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        self.note("publickey");
        if !self.key_first {
            return Ok(self.no());
        }
        self.passed_key = true;
        Ok(Auth::Reject { proceed_with_methods: Some(self.offers()), partial_success: true })
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(response) = response else {
            self.note("keyboard-interactive");
            self.at = 0;
            return Ok(self.ask());
        };
        let said: Vec<String> = response.map(|b| String::from_utf8_lossy(&b).into_owned()).collect();
        let right = self.rounds.get(self.at).is_some_and(|(_, wanted)| *wanted == said);
        self.at += 1;
        Ok(if right { self.ask() } else { self.no() })
    }

    async fn authentication_banner(&mut self) -> Result<Option<String>, russh::Error> {
        Ok(Some("Authorised use only\u{7}\n".to_owned()))
    }
}

/// A server in this process.
struct Bed {
    sandbox: Sandbox,
    port: u16,
    host_key: String,
    connections: Arc<AtomicUsize>,
    ward: Ward,
}

impl Bed {
    async fn new(ward: Ward) -> Self {
        let key = PrivateKey::random(&mut rand::rng(), russh::keys::Algorithm::Ed25519).unwrap();
        let host_key = key.public_key().to_openssh().unwrap();
        let config = Config {
            keys: vec![key],
            auth_rejection_time: Duration::ZERO,
            methods: ward.offers(),
            max_auth_attempts: 6,
            ..Config::default()
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, connections) = (Arc::new(config), Arc::new(AtomicUsize::new(0)));
        let (counter, served) = (Arc::clone(&connections), ward.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::Relaxed);
                let (config, ward) = (Arc::clone(&config), served.clone());
                tokio::spawn(async move { russh::server::run_stream(config, stream, ward).await.unwrap().await });
            }
        });
        Self { sandbox: Sandbox::new(), port, host_key, connections, ward }
    }

    fn target(&self, more: &str) -> Target {
        let known = self.sandbox.write("known_hosts", &format!("[127.0.0.1]:{} {}\n", self.port, self.host_key));
        let printed = format!(
            "{more}hostname 127.0.0.1\nport {}\nuser me\nstricthostkeychecking true\nuserknownhostsfile {}\nidentityagent none\n",
            self.port,
            known.display()
        );
        target(&printed)
    }

    async fn open(&self, more: &str, ask: &dyn Ask) -> Result<Session, Failure> {
        open(&self.sandbox.local(), &self.target(more), ask, &Notes::default()).await
    }

    fn tried(&self) -> Vec<String> {
        self.ward.tries.lock().unwrap().clone()
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
}

/// A target as the installed ssh would print it, save for these lines, which go first.
pub(crate) fn target(printed: &str) -> Target {
    let output = std::process::Command::new("ssh").args(["-F", "/dev/null", "-G", "--", "ward"]).output().unwrap();
    let defaults = String::from_utf8(output.stdout).unwrap();
    let set: Vec<&str> = printed.lines().filter_map(|l| l.split(' ').next()).collect();
    let rest: String = defaults
        .lines()
        .filter(|l| l.split(' ').next().is_some_and(|k| !set.contains(&k) && k != "identityfile"))
        .map(|l| format!("{l}\n"))
        .collect();
    Target::from_ssh_g("ward".parse().unwrap(), &format!("{printed}{rest}"), &defaults)
}

pub(crate) async fn open(local: &Local, target: &Target, ask: &dyn Ask, watch: &dyn Watch) -> Result<Session, Failure> {
    Session::open(target, &Context { local, ask, watch }).await
}

fn prompts(list: &[(&'static str, bool)]) -> Vec<(Cow<'static, str>, bool)> {
    list.iter().map(|(text, echo)| (Cow::Borrowed(*text), *echo)).collect()
}

fn told(failure: &Failure) -> String {
    format!("{failure} [{}]\n  {}", failure.code.as_str(), failure.hint)
}

#[tokio::test]
async fn field_12_password_only() {
    let bed = Bed::new(Ward { password: Some("secret"), ..Ward::default() }).await;
    let person = Person::who_says(&[Ok("wrong"), Ok("secret")]);
    let notes = Notes::default();
    let session = open(&bed.sandbox.local(), &bed.target(""), &person, &notes).await.unwrap();
    assert_eq!(
        person.was_asked(),
        [
            "Authorised use only\u{7} | me@127.0.0.1's password: ",
            "Permission denied, please try again. | me@127.0.0.1's password: "
        ],
        "the banner is shown first; whoever prints it makes it harmless"
    );
    assert_eq!((bed.connections(), session.facts().auth.as_str()), (1, "password"));
    assert!(notes.0.lock().unwrap().is_empty(), "it is not shown twice");

    let failure = bed.open("", &NobodyToAsk).await.err().unwrap();
    insta::assert_snapshot!(told(&failure), @r"
    ward: log in as me (password): there is no terminal to ask on [auth-needs-person]
      run it in a terminal, set SSH_ASKPASS and SSH_ASKPASS_REQUIRE=force, or load a key into ssh-agent
    ");
    let failure = bed.open("batchmode yes\n", &NobodyToAsk).await.err().unwrap();
    assert_eq!(failure.code, Code::AuthRefused);
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_asked_for() {
    // As PAM asks it, by way of keyboard-interactive: a question like any other.
    let rounds = vec![
        (("", "", prompts(&[("Password: ", false)])), vec!["old"]),
        (("", "You must change it now.", prompts(&[("New password: ", false), ("Again: ", false)])), vec!["new", "new"]),
    ];
    let bed = Bed::new(Ward { rounds, ..Ward::default() }).await;
    let person = Person::who_says(&[Ok("old"), Ok("new"), Ok("new")]);
    bed.open("", &person).await.unwrap();
    assert_eq!(person.was_asked()[1], "You must change it now. | (me@127.0.0.1) New password: ");
}

#[tokio::test]
async fn wrong_passwords_end_after_the_prompts_that_are_allowed() {
    for (setting, prompts) in [("", 3), ("numberofpasswordprompts 1\n", 1)] {
        let bed = Bed::new(Ward { password: Some("secret"), ..Ward::default() }).await;
        let person = Person::who_says(&vec![Ok("wrong"); prompts]);
        let failure = bed.open(setting, &person).await.err().unwrap();
        assert_eq!((failure.code, person.was_asked().len(), bed.connections()), (Code::AuthRefused, prompts, 1));
    }
    let bed = Bed::new(Ward { password: Some("secret"), ..Ward::default() }).await;
    let failure = bed.open("", &Person::who_says(&[Err(NoAnswer::Refused)])).await.err().unwrap();
    assert_eq!((failure.code, bed.connections()), (Code::AuthCancelled, 1));
}

#[tokio::test]
async fn field_11_key_then_code() {
    let rounds = vec![
        (("PAM", "Two factors", prompts(&[("Code: ", true), ("PIN: ", false)])), vec!["123456", "99"]),
        (("", "", vec![]), vec![]),
        (("", "Touch your phone", prompts(&[("", false)])), vec![""]),
    ];
    let bed = Bed::new(Ward { rounds, key_first: true, ..Ward::default() }).await;
    let key = bed.sandbox.write("id", "");
    std::fs::remove_file(&key).unwrap();
    keygen(&key, &[]);
    let identity = format!("identityfile {}\n", key.display());
    let person = Person::who_says(&[Ok("123456"), Ok("99"), Ok("")]);
    let session = bed.open(&identity, &person).await.unwrap();
    assert_eq!(
        person.was_asked(),
        [
            "Authorised use only\u{7}\nPAM\nTwo factors | (me@127.0.0.1) Code: ",
            "(me@127.0.0.1) PIN: ",
            "Touch your phone | (me@127.0.0.1) "
        ]
    );
    assert_eq!((bed.tried(), bed.connections()), (vec!["publickey".into(), "keyboard-interactive".into()], 1));
    assert_eq!(session.facts().auth, format!("publickey {}, keyboard-interactive", key.display()));

    let failure = bed.open(&identity, &NobodyToAsk).await.err().unwrap();
    assert_eq!((failure.code, failure.tried.as_str()), (Code::AuthNeedsPerson, "log in as me (keyboard-interactive)"));
}

#[tokio::test]
async fn the_order_is_the_persons() {
    let rounds = vec![(("", "", prompts(&[("Code: ", true)])), vec!["1"])];
    let bed = Bed::new(Ward { rounds, password: Some("secret"), ..Ward::default() }).await;
    bed.open("preferredauthentications password,keyboard-interactive\n", &Person::who_says(&[Ok("secret")])).await.unwrap();
    assert_eq!(bed.tried(), ["none", "password"]);
    let failure = bed.open("preferredauthentications publickey\n", &NobodyToAsk).await.err().unwrap();
    insta::assert_snapshot!(told(&failure), @r"
    ward: log in as me: Permission denied (keyboard-interactive,password); offered: nothing [auth-refused]
      see that the server lets 'me' in: try ssh ward
    ");
}

#[tokio::test]
async fn field_13_key_with_passphrase() {
    let bed = Bed::new(Ward { password: Some("pw"), key_first: true, ..Ward::default() }).await;
    let key = bed.sandbox.path().join("locked");
    keygen(&key, &["-N", "open sesame"]);
    let identity = format!("identityfile {}\nnumberofpasswordprompts 2\n", key.display());
    let person = Person::who_says(&[Ok("wrong"), Ok("open sesame"), Ok("pw")]);
    bed.open(&identity, &person).await.unwrap();
    let ask = format!("Enter passphrase for key '{}': ", key.display());
    assert_eq!(person.was_asked(), [format!("Authorised use only\u{7} | {ask}"), ask, "me@127.0.0.1's password: ".into()]);
    let failure = bed.open(&identity, &NobodyToAsk).await.err().unwrap();
    assert_eq!((failure.code, failure.hint), (Code::AuthNeedsPerson, format!("load it once: ssh-add {}", key.display())));
    assert_eq!(bed.connections(), 2);
}

#[tokio::test]
async fn the_servers_parting_words_are_told_and_nobody_calls_again() {
    let bed = Bed::new(Ward { password: Some("pw"), key_first: true, ..Ward::default() }).await;
    let mut identities = String::new();
    for n in 0..7 {
        let key = bed.sandbox.path().join(format!("k{n}"));
        keygen(&key, &[]);
        identities.push_str(&format!("identityfile {}\n", key.display()));
    }
    // A server that takes no key at all: it hangs up after six.
    let strict = Bed::new(Ward { password: Some("pw"), ..Ward::default() }).await;
    let failure = strict.open(&identities, &Person::who_says(&[const { Ok("wrong") }; 3])).await.err().unwrap();
    assert!(matches!(failure.code, Code::AuthRefused), "{}", told(&failure));
    assert_eq!(strict.connections(), 1);
}

#[tokio::test]
async fn many_hosts_behind_one_address_take_turns() {
    let bed = Bed::new(Ward { password: Some("pw"), ..Ward::default() }).await;
    let most = Arc::new(AtomicUsize::new(0));
    struct Slow(Arc<AtomicUsize>, Arc<AtomicUsize>);
    impl Ask for Slow {
        fn ask<'a>(&'a self, _: &'a Question) -> Answer<'a> {
            // The person of each host thinks until the others have had every chance to come in.
            Box::pin(async move {
                self.1.fetch_max(self.0.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                for _ in 0..200 {
                    tokio::task::yield_now().await;
                }
                self.0.fetch_sub(1, Ordering::Relaxed);
                Ok(Secret::new("pw".to_owned()))
            })
        }
    }
    let ask = Slow(Arc::default(), Arc::clone(&most));
    let sessions = futures_util::future::join_all((0..40).map(|_| bed.open("", &ask))).await;
    assert_eq!(sessions.iter().filter(|s| s.is_ok()).count(), 40);
    let most = most.load(Ordering::Relaxed);
    assert!((2..=outpost::ssh::rate::AT_ONCE).contains(&most), "{most} logged in at once");
}

/// What answers on a port that is no SSH server, or will not be one now.
pub(crate) async fn greeter(words: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream.write_all(words.as_bytes()).await.unwrap();
            if words == "(silence)" {
                held.push(stream);
            }
        }
    });
    port
}

#[tokio::test]
async fn what_is_no_ssh_server_is_named() {
    let sandbox = Sandbox::new();
    for (words, code, said) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Code::NotSsh, "it answered: HTTP/1.1 400 Bad Request"),
        ("Not allowed at this time\r\n", Code::AuthCut, "Not allowed at this time"),
        ("Exceeded MaxStartups\r\n", Code::AuthCut, "Exceeded MaxStartups"),
        ("", Code::AuthCut, "the connection was closed before the server said who it is"),
        ("(silence)", Code::ConnectTimeout, "it is no SSH server, or a slow one: within 1 s it sent: (silence)"),
    ] {
        let port = greeter(words).await;
        let target = target(&format!("hostname 127.0.0.1\nport {port}\nuser me\nconnecttimeout 1\nidentityagent none\n"));
        let failure = open(&sandbox.local(), &target, &NobodyToAsk, &Notes::default()).await.err().unwrap();
        assert_eq!((failure.code, failure.said.as_str()), (code, said), "{words}");
        assert!(failure.tried.ends_with(&format!("127.0.0.1 port {port}")), "{}", failure.tried);
    }
}

pub(crate) fn keygen(path: &std::path::Path, more: &[&str]) {
    let mut command = std::process::Command::new("ssh-keygen");
    command.args(["-q", "-C", "bed", "-f"]).arg(path).args(more);
    if !more.contains(&"-N") {
        command.args(["-N", ""]);
    }
    if !more.contains(&"-t") {
        command.args(["-t", "ed25519"]);
    }
    assert!(command.status().unwrap().success());
}
