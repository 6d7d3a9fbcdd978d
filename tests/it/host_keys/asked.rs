//! Unknown keys: asked about, accepted, written down; the real `ssh` reads what we wrote.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use outpost::failure::{Code, Failure};
use outpost::ssh::ask::{Answer, Ask, NoAnswer, NobodyToAsk, Question, Secret};
use outpost::ssh::host_key::asking::Accepted;
use outpost::ssh::host_key::verdict::By;
use outpost::ssh::host_key::{Checker, Decision, Known, Presented};

use super::lab::{Lab, Verdict};
use crate::bed::run;

/// Gives these answers, and keeps the questions.
pub(crate) struct Script {
    answers: Mutex<Vec<&'static str>>,
    pub(crate) asked: Mutex<Vec<Question>>,
}

impl Script {
    pub(crate) fn new(answers: &[&'static str]) -> Self {
        Self { answers: Mutex::new(answers.iter().rev().copied().collect()), asked: Mutex::default() }
    }
}

impl Ask for Script {
    fn ask<'a>(&'a self, question: &'a Question) -> Answer<'a> {
        self.asked.lock().unwrap().push(question.clone());
        let answer = self.answers.lock().unwrap().pop().ok_or(NoAnswer::Refused);
        Box::pin(std::future::ready(answer.map(|a| Secret::new(a.to_owned()))))
    }
}

/// The checker and the key that the host presents.
fn meet(lab: &Lab, options: &[&str]) -> (Checker, Presented) {
    let target = lab.target(options);
    let checker = Checker::new(&target, &lab.sandbox.local()).unwrap();
    let presented = lab.presented(&target, &checker).unwrap();
    (checker, presented)
}

fn accept(lab: &Lab, options: &[&str], ask: &dyn Ask) -> Result<Accepted, Failure> {
    let (checker, presented) = meet(lab, options);
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(checker.accept(&presented, ask))
}

const ASK: &[&str] = &["StrictHostKeyChecking=ask", "BatchMode=no"];

#[test]
fn yes_and_the_fingerprint_accept() {
    let lab = Lab::new(&["ed25519"]);
    let fingerprint: &'static str = meet(&lab, ASK).1.fingerprint().split(' ').nth(1).unwrap().to_owned().leak();
    for answers in [&["yes"][..], &["YES "], &["maybe", "yes"], &[fingerprint], &["y", "SHA256:x", fingerprint]] {
        lab.write("known", "");
        let script = Script::new(answers);
        let accepted = accept(&lab, ASK, &script).unwrap();
        assert_eq!(script.asked.lock().unwrap().len(), answers.len(), "{answers:?}");
        assert!(accepted.told.starts_with("Permanently added 'box.example' (ED25519) to "), "{}", accepted.told);
        assert_eq!((lab.by_ssh(&[]), lab.by_us(&[])), (Verdict::Known, Verdict::Known));
    }
}

#[test]
fn anything_else_does_not() {
    let lab = Lab::new(&["ed25519"]);
    lab.write("known", "");
    for answers in [&["no"][..], &["NO"], &[""], &["maybe", "no"], &["maybe", ""], &[], &["maybe"], &["y"; 30]] {
        let failure = accept(&lab, ASK, &Script::new(answers)).unwrap_err();
        assert_eq!(failure.code, Code::HostKeyUnknown, "{answers:?}");
        assert!(failure.said.starts_with("you did not accept ED25519 SHA256:"), "{failure:?}");
    }
    let failure = accept(&lab, ASK, &NobodyToAsk).unwrap_err();
    assert!(failure.said.contains("no key is known for it; it sent ED25519 SHA256:"), "{failure:?}");
    let batch = Script::new(&["yes"]);
    let failure = accept(&lab, &["StrictHostKeyChecking=ask", "BatchMode=yes"], &batch).unwrap_err();
    assert_eq!((failure.code, batch.asked.lock().unwrap().len()), (Code::HostKeyUnknown, 0));
    assert_eq!(std::fs::read_to_string(lab.path("known")).unwrap(), "");
    let print = meet(&lab, ASK).1.fingerprint();
    let failure = accept(&lab, ASK, &Script::new(&["no"])).unwrap_err();
    insta::assert_snapshot!(format!("{failure}\n{}", failure.hint).replace(&print, "FINGERPRINT"), @r"
    check the host key of box.example: you did not accept FINGERPRINT
    Find out from who runs the host what its fingerprint is, then try again.
    ");
}

#[test]
fn the_question_is_openssh_s() {
    let lab = Lab::new(&["ed25519"]);
    let askpass = lab.write("askpass", "#!/bin/sh\nprintf '%s\\n' \"$1\" >> {dir}/asked\necho no\n");
    std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (known, options) in [
        ("", &[][..]),
        ("", &["VisualHostKey=yes"]),
        ("", &["Port=2222"]),
        ("far.example {ed25519}\n{hash:hidden} {ed25519}\n", &[]),
        (&"a,b {ed25519}\n".repeat(8), &[]),
        (&"a {ed25519}\n".repeat(12), &[]),
    ] {
        lab.write("known", known);
        lab.write("asked", "");
        let options = [ASK, options].concat();
        let mut ssh = lab.ssh(&lab.args(&options));
        ssh.args(["box", "true"]).env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "x");
        run(&mut ssh, b"").exits(255);
        let script = Script::new(&["no"]);
        accept(&lab, &options, &script).unwrap_err();
        let question = script.asked.lock().unwrap()[0].clone();
        let ours = format!("{}\n{}\n", question.preface, question.prompt);
        assert_eq!(ours, std::fs::read_to_string(lab.path("asked")).unwrap(), "{known:?} {options:?}");
    }
}

/// Whoever was asked has seen the picture; who was not sees it each time.
#[test]
fn the_picture_is_shown_once() {
    let lab = Lab::new(&["ed25519"]);
    lab.write("known", "");
    let options = [ASK, &["VisualHostKey=yes"]].concat();
    let script = Script::new(&["yes"]);
    let accepted = accept(&lab, &options, &script).unwrap();
    assert!(script.asked.lock().unwrap()[0].preface.contains("+--[ED25519"));
    let picture = |pinned: bool| {
        let (checker, presented) = meet(&lab, &options);
        let checker = if pinned { checker.pin(&accepted) } else { checker };
        let Decision::Known(known) = checker.decide(&presented) else { panic!("it is known") };
        known.picture
    };
    assert!(picture(true).is_none() && picture(false).is_some());
}

#[test]
fn what_is_written_is_what_ssh_writes() {
    let lab = Lab::new(&["ed25519"]);
    for options in [
        &["HashKnownHosts=no"][..],
        &["HashKnownHosts=no", "Port=2222"],
        &["HashKnownHosts=no", "HostKeyAlias=Some.Name"],
        &["HashKnownHosts=yes"],
        &["HashKnownHosts=yes", "Port=2222"],
    ] {
        let options = [&["StrictHostKeyChecking=accept-new"], options].concat();
        lab.write("known", "# mine\n");
        lab.ssh_says(&options);
        let by_ssh = std::fs::read_to_string(lab.path("known")).unwrap();
        lab.write("known", "# mine\n");
        assert_eq!(lab.decide(&options), Ok(Decision::Add));
        remember(&lab, &options).unwrap();
        let by_us = std::fs::read_to_string(lab.path("known")).unwrap();
        match options.contains(&"HashKnownHosts=no") {
            true => assert_eq!(by_us, by_ssh),
            false => assert_eq!((by_us.lines().count(), by_us.len()), (by_ssh.lines().count(), by_ssh.len()), "{by_us}"),
        }
        assert_eq!(lab.by_ssh(&options[1..]), Verdict::Known, "{options:?}");
    }
}

fn remember(lab: &Lab, options: &[&str]) -> Result<String, String> {
    let (checker, presented) = meet(lab, options);
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(checker.remember(&presented))
}

#[test]
fn nobody_s_lines_are_touched() {
    let lab = Lab::new(&["ed25519"]);
    let new: &[&str] = &["StrictHostKeyChecking=accept-new", "HashKnownHosts=no"];
    let line = lab.fill("box.example {ed25519}\n");
    for before in ["", "# no newline", "nonsense \u{1} x\n\n\n", "far.example ssh-rsa AAAA\r\n"] {
        lab.write("known", before);
        remember(&lab, new).unwrap();
        remember(&lab, new).unwrap();
        let gap = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        assert_eq!(std::fs::read_to_string(lab.path("known")).unwrap(), format!("{before}{gap}{line}"), "once, behind the rest");
    }
    std::fs::remove_file(lab.path("known")).unwrap();
    let elsewhere = [new, &["UserKnownHostsFile={dir}/deep/.ssh/known"]].concat();
    remember(&lab, &elsewhere).unwrap();
    let mode = |path: &str| std::fs::metadata(lab.path(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("deep/.ssh"), mode("deep/.ssh/known")), (0o700, 0o600));
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning() {
    let lab = Lab::new(&["ed25519"]);
    let file = |f: &'static str| [&["StrictHostKeyChecking=accept-new"], &[f][..]].concat();
    assert!(remember(&lab, &file("UserKnownHostsFile=/dev/null")).is_ok());
    let warning = remember(&lab, &file("UserKnownHostsFile={dir}/home")).unwrap_err();
    assert!(warning.starts_with("could not add the host key of 'box.example' to "), "{warning}");
    assert_eq!(lab.decide(&file("UserKnownHostsFile={dir}/home")), Ok(Decision::Add));
    let script = Script::new(&["yes"]);
    let options = [ASK, &["UserKnownHostsFile={dir}/home"]].concat();
    assert!(accept(&lab, &options, &script).unwrap().told.contains("could not add"));
}

#[test]
fn fifty_writers_at_once_lose_nothing() {
    let lab = Lab::new(&["ed25519"]);
    lab.write("known", "# mine\n");
    let presented = meet(&lab, ASK).1;
    std::thread::scope(|scope| {
        for i in 0..50 {
            let (path, key) = (lab.path("known"), presented.key.clone());
            scope.spawn(move || {
                let names = vec![format!("host{i}.example")];
                let addition = outpost::ssh::host_key::write::Addition { names, keys: vec![key], hash: i % 2 == 0 };
                outpost::ssh::host_key::write::append(&path, &addition).unwrap();
            });
        }
    });
    let text = std::fs::read_to_string(lab.path("known")).unwrap();
    assert_eq!(text.lines().count(), 51);
    assert!(text.lines().skip(1).all(|l| l.split(' ').count() == 3), "{text}");
}

#[test]
fn an_accepted_key_is_pinned_for_the_connection_that_follows() {
    let lab = Lab::new(&["ed25519"]);
    let options = [ASK, &["UserKnownHostsFile=/dev/null"]].concat();
    let (checker, presented) = meet(&lab, &options);
    assert_eq!(checker.decide(&presented), Decision::Ask);
    let accepted = accept(&lab, &options, &Script::new(&["yes"])).unwrap();
    let pinned = checker.clone().pin(&accepted);
    assert_eq!(pinned.decide(&presented), Decision::Known(Known { by: By::Person, new_address: None, picture: None }));
    let other = russh::keys::PublicKey::from_openssh(&lab.fill("{other}")).unwrap();
    let other = Presented { key: other.key_data().clone(), certificate: None };
    let Decision::Stop(failure) = pinned.decide(&other) else { panic!("it is not pinned") };
    assert_eq!(failure.code, Code::HostKeyChanged);
    // Not even a known key passes in its place.
    lab.write("known", "box.example {other}\nbox.example {ed25519}\n");
    let known = lab.checker(ASK).unwrap().pin(&accepted);
    assert!(matches!(known.decide(&other), Decision::Stop(_)));
    // And what is revoked in the meantime stays revoked.
    lab.write("known", "@revoked * {ed25519}\n");
    let Decision::Stop(failure) = lab.checker(ASK).unwrap().pin(&accepted).decide(&presented) else { panic!("it passes") };
    assert_eq!(failure.code, Code::HostKeyRevoked);
}

#[test]
fn with_a_changed_key_we_stop_where_ssh_goes_on() {
    let lab = Lab::new(&["ed25519"]);
    for (known, sign, code) in [
        ("box.example {other}\n", "IDENTIFICATION HAS CHANGED", Code::HostKeyChanged),
        ("box.example {ed25519}\n@revoked * {ed25519}\n", "REVOKED HOST KEY", Code::HostKeyRevoked),
    ] {
        lab.write("known", known);
        for word in ["no", "off", "false"] {
            let option = format!("StrictHostKeyChecking={word}");
            let said = lab.ssh_says(&[&option]);
            assert!(said.contains(sign) && said.contains("Permission denied"), "{said}");
            let Ok(Decision::Stop(failure)) = lab.decide(&[&option]) else { panic!("it goes on") };
            assert_eq!(failure.code, code);
        }
    }
}

/// Through the whole program, with an askpass program as the person: asked once, pinned, logged in, written down.
#[test]
fn field_15_an_accepted_key_leads_on() {
    let lab = Lab::with_gate(&["ed25519"]);
    let askpass = lab.write("askpass", "#!/bin/sh\nprintf '%s\\n' \"$1\" >> {dir}/asked\necho yes\n");
    std::fs::set_permissions(&askpass, std::fs::Permissions::from_mode(0o755)).unwrap();
    let check = || {
        let mut outpost = lab.sandbox.outpost(&["check", "box", "--json"]);
        outpost.env("SSH_ASKPASS", &askpass).env("SSH_ASKPASS_REQUIRE", "force").env("DISPLAY", "x");
        let ran = run(&mut outpost, b"");
        let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let steps = report[0]["steps"].as_array().unwrap().clone();
        assert!(steps.iter().any(|s| s["step"] == "logged in" && s["ok"] == true), "{}\n{}", ran.stdout, ran.stderr);
        ran.stdout
    };
    assert!(check().contains("accepted just now"));
    assert!(!check().contains("accepted just now"));
    let asked = std::fs::read_to_string(lab.path("asked")).unwrap();
    assert_eq!(asked.matches("(yes/no/[fingerprint])?").count(), 1, "{asked}");
    assert!(asked.contains("The authenticity of host 'box.example (<no hostip for proxy command>)'"), "{asked}");
    assert_eq!(std::fs::read_to_string(lab.sandbox.known_hosts()).unwrap().lines().count(), 1);
    assert_eq!(lab.host.logins(), 2);
}
