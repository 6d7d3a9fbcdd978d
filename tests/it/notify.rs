//! `--notify`: the terminal's bell where there is no desktop, and a desktop's notification where there is one.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::sync::mpsc;

use super::bed::on_a_terminal;
use super::run::Bed;

const LIMIT: Duration = Duration::from_secs(60);

/// What stands in for a desktop: it hands on what it is told to show.
struct Desktop(mpsc::UnboundedSender<(String, String)>);

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Desktop {
    #[zbus(name = "Notify")]
    #[expect(clippy::too_many_arguments, reason = "the interface's")]
    fn notify(
        &self,
        _name: String,
        _replaces: u32,
        _icon: String,
        title: String,
        body: String,
        _actions: Vec<String>,
        _hints: HashMap<String, zbus::OwnedVariant>,
        _timeout: i32,
    ) -> u32 {
        self.0.send((title, body)).unwrap();
        1
    }
}

/// A session bus of the sandbox's own.
struct Bus {
    daemon: Child,
    address: String,
}

impl Bus {
    fn start(bed: &Bed) -> Self {
        let folder = bed.sandbox.path().display();
        let config = format!(
            "<busconfig><type>session</type><listen>unix:path={folder}/bus</listen><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow own=\"*\"/><allow receive_sender=\"*\"/></policy></busconfig>"
        );
        let config = bed.sandbox.write("bus.conf", &config);
        let mut command = Command::new("dbus-daemon");
        command
            .arg("--config-file")
            .arg(config)
            .args(["--nofork", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut daemon = command.spawn().expect("dbus-daemon");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { daemon, address: address.trim().to_owned() }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn field_69_a_desktop_is_told_when_a_turn_ends_and_when_a_person_is_needed() {
    let bed = Bed::new().await;
    let bus = Bus::start(&bed);
    let (sender, mut told) = mpsc::unbounded_channel();
    let builder = zbus::connection::Builder::address(bus.address.as_str());
    let builder = builder.name("org.freedesktop.Notifications");
    let _desktop = builder.serve_at("/org/freedesktop/Notifications", Desktop(sender)).build().await.unwrap();
    let prompt = "ask touch '<b>x</b>'\nsay Done.";
    let mut command = bed.sandbox.outpost(&["run", "devbox:app", prompt, "--notify"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    let (_, text) = tokio::task::spawn_blocking(move || on_a_terminal(&command, "[m]", &["y"])).await.unwrap();
    let mut next = async || tokio::time::timeout(LIMIT, told.recv()).await.expect("told").unwrap();
    let (title, body) = next().await;
    assert_eq!(title, "devbox:app: you are asked", "{text}");
    assert!(body.contains("touch '‹b›x‹/b›'"), "{body}");
    assert_eq!(next().await, ("devbox:app: done".to_owned(), "Done.".to_owned()), "{text}");
    assert!(!text.contains('\u{7}'), "the desktop was there: {text}");
    // A thread that is named goes by its own name.
    let listed = super::run::lines(&bed.run(&["threads", "devbox", "--json"]).await.exits(0));
    let thread = format!("devbox:{}", listed[0][0]["threads"][0]["id"].as_str().unwrap());
    bed.run(&["thread", "rename", &thread, "touching"]).await.exits(0);
    let mut command = bed.sandbox.outpost(&["thread", "resume", &thread, "say Bye.\nsay Again.", "--notify"]);
    command.env("DBUS_SESSION_BUS_ADDRESS", &bus.address);
    tokio::task::spawn_blocking(move || super::bed::run(&mut command, b"")).await.unwrap().exits(0);
    assert_eq!(next().await, ("devbox:touching: done".to_owned(), "Again.".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_desktop_the_bell_rings() {
    let bed = Bed::new().await;
    // Nobody is left to tell it.
    bed.run(&["run", "devbox:app", "say x", "--detach", "--notify"]).await.exits(2);
    for (options, rings) in [(&["--notify"][..], 2), (&[], 0)] {
        let mut command = bed.sandbox.outpost(&[&["run", "devbox:app", "ask touch x\nsay Done."], options].concat());
        command.env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}/none", bed.sandbox.path().display()));
        let (code, text) = tokio::task::spawn_blocking(move || on_a_terminal(&command, "[m]", &["y"])).await.unwrap();
        assert_eq!((code, text.matches('\u{7}').count()), (Some(0), rings), "{text}");
    }
}
