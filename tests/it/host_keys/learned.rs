//! UpdateHostKeys: we learn what the real `ssh` learns, and forget what it forgets.

use outpost::ssh::host_key::{Decision, update::Plan};
use russh::keys::PublicKey;

use super::asked::Script;
use super::lab::Lab;
use crate::bed::run;

/// The keys that a file holds, by type.
fn types(lab: &Lab) -> Vec<&'static str> {
    let text = std::fs::read_to_string(lab.path("known")).unwrap();
    let held = |kind: &&&str| text.contains(&super::lab::public(&lab.path(&format!("hostkey_{kind}"))));
    ["ed25519", "ecdsa", "rsa"].iter().filter(held).copied().collect()
}

/// The lines of the file, save for the salt of a hashed name.
fn lines(lab: &Lab) -> Vec<String> {
    let text = std::fs::read_to_string(lab.path("known")).unwrap();
    let unsalted = |line: &str| line.split_once(' ').filter(|_| line.starts_with('|')).map_or(line, |(_, key)| key).to_owned();
    let mut lines: Vec<String> = text.lines().map(unsalted).collect();
    lines.sort();
    lines
}

/// Logs in with the real `ssh`, which learns on the way.
fn login(lab: &Lab, options: &[&str]) {
    let options = [&["PreferredAuthentications=publickey"], options].concat();
    let mut ssh = lab.ssh(&lab.args(&options));
    run(ssh.args(["box", "sleep 0.3"]), b"").exits(0);
}

fn plan(lab: &Lab, options: &[&str]) -> Option<Plan> {
    let Ok(Decision::Known(known)) = lab.decide(options) else { return None };
    let announced =
        ["rsa", "ecdsa", "ed25519"].map(|kind| PublicKey::read_openssh_file(lab.path(&format!("hostkey_{kind}.pub"))).unwrap());
    lab.checker(options).unwrap().plan_update(&known, &announced)
}

fn learn(lab: &Lab, options: &[&str], plan: &Plan, ask: &Script) -> Option<String> {
    let checker = lab.checker(options).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(checker.learn(plan, ask)).unwrap()
}

const ALL: &[&str] = &["ed25519", "ecdsa", "rsa"];
const YES: &[&str] = &["UpdateHostKeys=yes"];

#[test]
fn the_same_keys_as_ssh() {
    let lab = Lab::new(ALL);
    let one = "box.example {ed25519}\n";
    for (name, known, global, options, learned) in [
        ("one key known", one, "", YES, ALL),
        ("not wanted", one, "", &["UpdateHostKeys=no"], &["ed25519"][..]),
        ("hashed", "{hash:box.example} {ed25519}\n", "", YES, ALL),
        ("another type", "box.example {rsa}\n", "", YES, ALL),
        ("two names", "box.example,10.0.0.7 {ed25519}\n", "", YES, ALL),
        ("three names", "box.example,box,10.0.0.7 {ed25519}\n", "", YES, &["ed25519"]),
        ("a wildcard", "*.example {ed25519}\n", "", YES, &["ed25519"]),
        ("an authority for it", "box.example {ed25519}\n@cert-authority *.example {ca}\n", "", YES, &["ed25519"]),
        ("a revoked key of it", "box.example {ed25519}\n@revoked * {other}\n", "", YES, &["ed25519"]),
        ("an authority for others", "box.example {ed25519}\n@cert-authority *.org {ca}\n", "", YES, ALL),
        ("a new key under another name", "box.example {ed25519}\nfar.example {rsa}\n", "", YES, &["ed25519", "rsa"]),
        ("the known key under another name", "box.example {ed25519}\nfar.example {ed25519}\n", "", YES, &["ed25519"]),
        ("known to the system", "", one, YES, &[]),
        ("known without the port", one, "", &["UpdateHostKeys=yes", "Port=2222"], &["ed25519"]),
        ("known with the port", "[box.example]:2222 {ed25519}\n", "", &["UpdateHostKeys=yes", "Port=2222"], ALL),
        ("types left out", one, "", &["UpdateHostKeys=yes", "HostKeyAlgorithms=-rsa*"], &["ed25519", "ecdsa"]),
        ("RSA keys are too short", one, "", &["UpdateHostKeys=yes", "RequiredRSASize=3072"], ALL),
        ("an old key", "box.example {ed25519}\nbox.example {other}\n", "", YES, ALL),
        (
            "an old key alone",
            "box.example {ed25519}\nbox.example {ecdsa}\nbox.example {rsa}\nbox.example {other}\n",
            "",
            YES,
            ALL,
        ),
        (
            "among others",
            "# mine\n\nx {other_rsa}\nbox.example {other}\nnonsense\nbox.example {ed25519} me\ny {ca}",
            "",
            YES,
            ALL,
        ),
        ("an old key that others have too", "box.example {ed25519}\nbox.example,x {other}\ny {other}\n", "", YES, &["ed25519"]),
    ] {
        lab.write("global", global);
        let before = lab.fill(known);
        std::fs::write(lab.path("known"), &before).unwrap();
        login(&lab, options);
        assert_eq!(types(&lab), learned, "ssh, {name}");
        let theirs = lines(&lab);

        std::fs::write(lab.path("known"), &before).unwrap();
        if let Some(plan) = plan(&lab, options) {
            let told = learn(&lab, options, &plan, &Script::new(&[])).unwrap();
            assert!(told.starts_with("The known host keys of '"), "{told}");
        }
        assert_eq!(types(&lab), learned, "we, {name}");
        assert_eq!(lines(&lab), theirs, "{name}");
    }
}

#[test]
fn asked_before_it_learns() {
    let lab = Lab::new(ALL);
    let options: &[&str] = &["UpdateHostKeys=ask", "BatchMode=no"];
    for (answers, learned) in [(&["no"][..], &["ed25519"][..]), (&[], &["ed25519"]), (&["yes"], ALL)] {
        lab.write("known", "box.example {ed25519}\nbox.example {other}\n");
        let plan = plan(&lab, options).unwrap();
        assert_eq!(plan.stale.iter().map(|(_, place)| place.line).collect::<Vec<_>>(), [2]);
        let script = Script::new(answers);
        learn(&lab, options, &plan, &script);
        assert_eq!(types(&lab), learned, "{answers:?}");
        let question = script.asked.lock().unwrap()[0].clone();
        assert!(question.preface.contains("Learned new hostkey: RSA SHA256:"), "{}", question.preface);
        assert_eq!(question.prompt, "Accept updated hostkeys? (yes/no): ");
    }
    lab.write("known", "box.example {ed25519}\n");
    assert_eq!(plan(&lab, &["UpdateHostKeys=ask", "BatchMode=yes"]), None);
}

#[test]
fn a_key_announced_twice_is_no_reason_to_learn() {
    let lab = Lab::new(ALL);
    lab.write("known", "box.example {ed25519}\n");
    let Ok(Decision::Known(known)) = lab.decide(YES) else { panic!("it is known") };
    let rsa = PublicKey::read_openssh_file(lab.path("hostkey_rsa.pub")).unwrap();
    let checker = lab.checker(YES).unwrap();
    assert!(checker.plan_update(&known, std::slice::from_ref(&rsa)).is_some());
    assert_eq!(checker.plan_update(&known, &[rsa.clone(), rsa]), None);
    assert_eq!(checker.plan_update(&known, &[]), None);
}

/// The whole way: the real sshd proves its keys, the old one goes, and `ask` asks before anything else happens.
#[tokio::test]
async fn a_person_is_asked_at_the_login() {
    use crate::session::open_asking;
    use crate::session_login::Person;

    for (answer, learned) in [("no", false), ("yes", true)] {
        let sandbox = crate::bed::Sandbox::new();
        let host = sandbox.host("dev").host_keys(&["ed25519", "ecdsa"]).ssh("UpdateHostKeys ask").build();
        let (old, new) = (super::lab::public(&host.dir.join("id")), super::lab::public(&host.dir.join("hostkey_ecdsa")));
        let known = super::lab::public(&host.dir.join("hostkey_ed25519"));
        std::fs::write(sandbox.known_hosts(), format!("dev {known}\ndev {old}\n")).unwrap();
        let person = Person::who_says(&[Ok(answer)]);
        open_asking(&sandbox.local(), "dev", &person).await.unwrap();
        let asked = person.was_asked().concat();
        assert!(
            asked.contains("Learned new hostkey: ECDSA") && asked.contains("Deprecating obsolete hostkey: ED25519"),
            "{asked}"
        );
        let text = std::fs::read_to_string(sandbox.known_hosts()).unwrap();
        assert_eq!((text.contains(&new), !text.contains(&old)), (learned, learned), "{text}");
        assert!(text.contains(&known));
    }
}

/// A key that the server announces and cannot prove to hold is not learned: here it is in an agent that signs for nobody.
#[tokio::test]
async fn what_is_not_proved_is_not_learned() {
    let sandbox = crate::bed::Sandbox::new();
    let socket = crate::session_keys::agent(&sandbox, "agent.sock");
    let new = sandbox.host("dev").host_keys(&["ed25519", "ecdsa"]).ssh("UpdateHostKeys ask").sshd("LogLevel DEBUG1");
    let host = new.sshd(&format!("HostKeyAgent {}", socket.display())).build();
    let key = host.dir.join("hostkey_ecdsa");
    let mut add = std::process::Command::new("ssh-add");
    run(add.args(["-q", "-c"]).arg(&key).env("SSH_AUTH_SOCK", &socket), b"").exits(0);
    std::fs::remove_file(&key).unwrap();
    let known = format!("dev {}\n", super::lab::public(&host.dir.join("hostkey_ed25519")));
    std::fs::write(sandbox.known_hosts(), &known).unwrap();
    // Nobody is asked either: the person has no answers.
    crate::session::open_asking(&sandbox.local(), "dev", &crate::session_login::Person::who_says(&[])).await.unwrap();
    assert_eq!(std::fs::read_to_string(sandbox.known_hosts()).unwrap(), known);
    assert!(host.log().contains("hostkeys-prove"), "it was asked for a proof: {}", host.log());
}
