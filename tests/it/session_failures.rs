//! What a person reads when SSH fails, each cause on real parts, in one snapshot: what was tried, what came back, what to do.

use std::time::Duration;

use outpost::failure::Failure;
use outpost::host::resolve::resolve;
use outpost::paths::Local;
use outpost::ssh::ask::{Ask, NoAnswer, NobodyToAsk};
use outpost::ssh::forward::Listen;
use outpost::ssh::session::{Context, Session};
use outpost::step::{Nobody, Progress, Step, Watch};

use crate::bed::Sandbox;
use crate::session::{open, open_asking};
use crate::session_login::{Person, greeter, keygen};
use crate::session_route::behind_a_port;

/// All that was told so far.
struct Book {
    sandbox: Sandbox,
    text: String,
}

impl Book {
    fn note(&mut self, when: &str, failure: &Failure) {
        let user = self.sandbox.local().user;
        let text = masked(&format!("{failure}").replace('\n', "\n    "), "SHA256:", 43);
        let text = masked(&text, "/outpost/m", text.split("/outpost/m").nth(1).map_or(0, |t| t.find(':').unwrap_or(0)));
        let told = self.sandbox.stable(&format!("## {when}\n[{}] {text}\n  try: {}\n\n", failure.code.as_str(), failure.hint));
        self.text.push_str(&told.replace(&format!("as {user}"), "as USER").replace(&format!("'{user}'"), "'USER'"));
        if user != "root" {
            self.text = self.text.replace(&format!("{user}@"), "USER@");
        } else {
            self.text = self.text.replace("root@", "USER@");
        }
    }

    async fn open(&mut self, when: &str, alias: &str) {
        self.asking(when, alias, &NobodyToAsk).await;
    }

    async fn asking(&mut self, when: &str, alias: &str, ask: &dyn Ask) {
        let failure = open_asking(&self.sandbox.local(), alias, ask).await.err().unwrap_or_else(|| panic!("{when}: it works"));
        self.note(when, &failure);
    }

    async fn by_ssh(&mut self, when: &str, (local, alias): (&Local, &str)) {
        let target = resolve(local, &alias.parse().unwrap()).await.unwrap();
        let opened = Session::open_with_system_ssh(&target, &Context { local, ask: &NobodyToAsk, watch: &Nobody }).await;
        self.note(when, &opened.err().unwrap_or_else(|| panic!("{when}: it works")));
    }
}

/// With what follows these words masked: it is another at each run.
fn masked(text: &str, words: &str, length: usize) -> String {
    match text.split_once(words) {
        Some((before, after)) => format!("{before}{words}…{}", &after[length..]),
        None => text.to_owned(),
    }
}

fn book() -> Book {
    Book { sandbox: Sandbox::new(), text: String::new() }
}

#[tokio::test]
async fn logging_in() {
    let mut book = book();
    let sandbox = &book.sandbox;
    let keys_only = || sandbox.host("keys").sshd("AuthenticationMethods publickey");
    std::fs::write(keys_only().build().dir.join("authorized_keys"), "").unwrap();
    let others = [
        "HostbasedAuthentication yes",
        "PubkeyAuthentication no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
    ];
    others.iter().fold(sandbox.host("hostbased"), |host, line| host.sshd(line)).build();
    let both = ["HostbasedAuthentication yes", "PasswordAuthentication no", "KbdInteractiveAuthentication no"];
    let host = both.iter().fold(sandbox.host("both"), |host, line| host.sshd(line)).build();
    std::fs::write(host.dir.join("authorized_keys"), "").unwrap();
    let passwords = || sandbox.host("passwords").sshd("PubkeyAuthentication no").sshd("KbdInteractiveAuthentication no");
    passwords().ssh("NumberOfPasswordPrompts 1").build();
    let locked = sandbox.path().join("locked");
    keygen(&locked, &["-N", "open sesame"]);
    let host =
        sandbox.host("locked").ssh(&format!("IdentityFile {}", locked.display())).sshd("AuthenticationMethods publickey").build();
    std::fs::copy(locked.with_extension("pub"), host.dir.join("authorized_keys")).unwrap();
    sandbox.host("token").ssh("PKCS11Provider /usr/lib/token.so").build();
    sandbox.host("strict").ssh("StrictHostKeyChecking yes").unknown().build();

    book.open("no key is taken", "keys").await;
    book.open("only what russh cannot do is taken", "hostbased").await;
    book.open("what russh cannot do is taken too", "both").await;
    book.open("a password is wanted, and nobody is there", "passwords").await;
    book.asking("a wrong password", "passwords", &Person::who_says(&[Ok("wrong")])).await;
    book.asking("no password is given", "passwords", &Person::who_says(&[Err(NoAnswer::Refused)])).await;
    book.asking("Ctrl-C at the password", "passwords", &Person::who_says(&[Err(NoAnswer::Interrupted)])).await;
    book.open("a locked key, and nobody is there", "locked").await;
    book.asking("a wrong passphrase", "locked", &Person::who_says(&[Ok("a"), Ok("b"), Ok("c")])).await;
    book.open("a key on a token", "token").await;
    book.open("an unknown host key, and nobody is there", "strict").await;
    insta::assert_snapshot!(book.text);
}

#[tokio::test]
async fn the_way() {
    let mut book = book();
    let sandbox = &book.sandbox;
    sandbox.host("sntrup").sshd("KexAlgorithms sntrup761x25519-sha512@openssh.com").build();
    sandbox.host("ours").ssh("KexAlgorithms sntrup761x25519-sha512@openssh.com").build();
    sandbox.host("shut").sshd("AllowTcpForwarding no").build();
    sandbox.host("mute").ssh("ProxyCommand sleep 100").ssh("ConnectTimeout 1").build();
    sandbox.add_ssh_config(
        "Host bind\n  HostName 127.0.0.1\n  BindAddress no-such-name.invalid\nHost inner\n  HostName 127.0.0.1\n  Port 1\n  ProxyJump shut\n\
         Host ping\n  ProxyJump pong\nHost pong\n  ProxyJump ping\n",
    );
    book.open("no common algorithm", "sntrup").await;
    book.open("the configuration leaves nothing", "ours").await;
    book.open("nothing comes back", "mute").await;
    book.open("BindAddress is nobody's name", "bind").await;
    book.open("a jump host forbids it", "inner").await;
    book.open("jump hosts in a circle", "ping").await;
    insta::assert_snapshot!(book.text);
}

/// Does something to the host when its turn to log us in comes.
struct AtTheLogin<F>(F);

impl<F: Fn() + Send + Sync> Watch for AtTheLogin<F> {
    fn progress(&self, progress: Progress) {
        if progress == Progress::Began(Step::LoggedIn) {
            (self.0)();
        }
    }
}

/// What answers on the port, or ends, while we log in.
#[tokio::test]
async fn in_the_middle() {
    let mut book = book();
    let host = book.sandbox.host("cut").build();
    let (_slow, _, flows) = behind_a_port(&book.sandbox, "slow", "  ConnectTimeout 1\n").await;
    let local = book.sandbox.local();
    let cuts = AtTheLogin(|| host.cut());
    let stops = AtTheLogin(|| {
        flows.send_replace(false);
    });
    for (when, alias, watch) in
        [("the server ends", "cut", &cuts as &dyn Watch), ("the server falls silent", "slow", &stops as &dyn Watch)]
    {
        let target = resolve(&local, &alias.parse().unwrap()).await.unwrap();
        let opened = Session::open(&target, &Context { local: &local, ask: &NobodyToAsk, watch }).await;
        book.note(when, &opened.err().unwrap_or_else(|| panic!("{when}: it works")));
    }
    for words in ["HTTP/1.1 400 Bad Request\r\n\r\n", "Not allowed at this time\r\n", "", "(silence)"] {
        let port = greeter(words).await;
        let printed = format!("hostname 127.0.0.1\nport {port}\nuser me\nconnecttimeout 1\nidentityagent none\n");
        let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
        let failure = Session::open(&crate::session_login::target(&printed), &context).await.err().unwrap();
        let failure = Failure { tried: failure.tried.replace(&port.to_string(), "PORT"), ..failure };
        book.note(&format!("it answers {words:?}"), &failure);
    }
    insta::assert_snapshot!(book.text);
}

#[tokio::test]
async fn on_the_connection() {
    let mut book = book();
    let new = book.sandbox.host("dev").sshd("AllowStreamLocalForwarding no").sshd("AllowTcpForwarding no").sshd("MaxSessions 1");
    let host = new.build();
    let session = open(&book.sandbox, "dev").await.unwrap();
    let held = session.exec("exec cat").await.unwrap();
    book.note("no further session", &session.exec("true").await.err().unwrap());
    book.note("no socket", &session.unix_socket("/run/x").await.err().unwrap());
    book.note("no port", &session.tcp("127.0.0.1", 80).await.err().unwrap());
    let listen = Listen::Tcp { address: "localhost".into(), port: 4000 };
    book.note("no listening on a port", &session.listen(listen).await.err().unwrap());
    let listen = Listen::Unix { path: "/run/x".into() };
    book.note("no listening on a socket", &session.listen(listen).await.err().unwrap());
    host.cut();
    session.closed().await;
    drop(held);
    book.note("after the end", &session.exec("true").await.err().unwrap());
    book.note("no sign of life", &session.ping(Duration::from_secs(5)).await.err().unwrap());
    insta::assert_snapshot!(book.text);
}

#[tokio::test]
async fn by_the_system_ssh() {
    let mut book = book();
    let sandbox = &book.sandbox;
    sandbox.host("locked").sshd("AuthenticationMethods publickey").sshd("AuthorizedKeysFile none").build();
    sandbox.host("strict").ssh("StrictHostKeyChecking yes").unknown().build();
    let long = sandbox.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    let local = sandbox.local();
    let mut cramped = sandbox.local();
    cramped.vars.insert("XDG_RUNTIME_DIR".into(), long.into());
    let mut shared = sandbox.local();
    let open_folder = sandbox.path().join("open/outpost");
    std::fs::create_dir_all(&open_folder).unwrap();
    std::fs::set_permissions(&open_folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    shared.vars.insert("XDG_RUNTIME_DIR".into(), open_folder.parent().unwrap().into());
    let mut bare = sandbox.local();
    book.by_ssh("no key is taken", (&local, "locked")).await;
    book.by_ssh("an unknown host key", (&local, "strict")).await;
    book.by_ssh("no room for the control socket", (&cramped, "locked")).await;
    book.by_ssh("a folder that others can write to", (&shared, "locked")).await;
    bare.vars.insert("PATH".into(), "/nowhere".into());
    let target = resolve(&local, &"locked".parse().unwrap()).await.unwrap();
    let opened = Session::open_with_system_ssh(&target, &Context { local: &bare, ask: &NobodyToAsk, watch: &Nobody }).await;
    book.note("there is no ssh", &opened.err().unwrap());
    let new = book.sandbox.host("dev").sshd("AllowStreamLocalForwarding no").sshd("AllowTcpForwarding no");
    let host = new.build();
    let target = resolve(&local, &"dev".parse().unwrap()).await.unwrap();
    let context = Context { local: &local, ask: &NobodyToAsk, watch: &Nobody };
    let session = Session::open_with_system_ssh(&target, &context).await.unwrap();
    for what in [Listen::Tcp { address: "localhost".into(), port: 4000 }, Listen::Unix { path: "/run/x".into() }] {
        book.note("no listening", &session.listen(what).await.err().unwrap());
    }
    let mut stream = session.tcp("127.0.0.1", 80).await.unwrap();
    assert_eq!(tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 1]).await.unwrap_or(0), 0);
    book.note("no port, which shows later", &session.tcp_refused("127.0.0.1", 80).await.unwrap());
    host.cut();
    session.closed().await;
    book.note("no socket after the end", &session.unix_socket("/run/x").await.err().unwrap());
    book.note("no port after the end", &session.tcp("127.0.0.1", 81).await.err().unwrap());
    book.note("no sign of life", &session.ping(Duration::from_secs(30)).await.err().unwrap());
    book.note("after the end", &session.lost());
    insta::assert_snapshot!(book.text);
}
