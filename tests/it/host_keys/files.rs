//! known_hosts files of every kind.

use outpost::ssh::host_key::{Checker, Decision};

use super::lab::{Case, Lab, Verdict};
use Verdict::{Barred, Changed, Known, Revoked, Unknown};

#[test]
fn one_file_one_key() {
    let lab = Lab::new(&["ed25519"]);
    for (name, known, expected) in [
        ("nothing", "", Unknown),
        ("the key", "box.example {ed25519}\n", Known),
        ("no newline at the end", "box.example {ed25519}", Known),
        ("capital letters", "BOX.Example {ed25519}\n", Known),
        ("a list of names", "first,box.example,10.0.0.1 {ed25519}\n", Known),
        ("blanks before", "  \t box.example {ed25519} a comment\n", Known),
        ("tabs between", "box.example\t{ed25519}\n", Known),
        ("many blanks between", "box.example   {ed25519}\n", Known),
        ("CRLF", "box.example {ed25519}\r\n", Known),
        ("only a comment", "# box.example {ed25519}\n", Unknown),
        ("another name", "other.example {ed25519}\n", Unknown),
        ("a longer name", "box.example.org {ed25519}\n", Unknown),
        ("the alias, not the host name", "box {ed25519}\n", Unknown),
        ("a wildcard", "*.example {ed25519}\n", Known),
        ("question marks", "b?x.exampl? {ed25519}\n", Known),
        ("every host", "* {ed25519}\n", Known),
        ("a negation behind", "*.example,!box.example {ed25519}\n", Unknown),
        ("a negation before", "!box.example,*.example {ed25519}\n", Unknown),
        ("a negation of another", "!other.example,*.example {ed25519}\n", Known),
        ("a pattern that is no pattern here", "[b]ox.example {ed25519}\n", Unknown),
        ("port 22 written out", "[box.example]:22 {ed25519}\n", Unknown),
    ] {
        lab.check(&Case::new(name, known, expected));
    }
}

#[test]
fn several_keys() {
    let lab = Lab::new(&["ed25519"]);
    for (name, known, expected) in [
        ("another key", "box.example {other}\n", Changed),
        ("another key, then the right one", "box.example {other}\nbox.example {ed25519}\n", Known),
        ("the right one, then another", "box.example {ed25519}\nbox.example {other}\n", Known),
        ("only a key of another type", "box.example {other_rsa}\n", Changed),
        ("another key by a wildcard", "*.example {other}\n", Changed),
        ("another key of another host", "far.example {other}\n", Unknown),
        ("an authority only", "@cert-authority *.example {other}\n", Unknown),
        ("the key as an authority", "@cert-authority *.example {ed25519}\n", Unknown),
        ("an authority and another key", "@cert-authority * {ca}\nbox.example {other}\n", Changed),
    ] {
        lab.check(&Case::new(name, known, expected));
    }
}

#[test]
fn hashed_names() {
    let lab = Lab::new(&["ed25519"]);
    for (name, known, expected) in [
        ("hashed", "{hash:box.example} {ed25519}\n", Known),
        ("hashed, another key", "{hash:box.example} {other}\n", Changed),
        ("hashed, another name", "{hash:far.example} {ed25519}\n", Unknown),
        ("hashed from capital letters", "{hash:BOX.example} {ed25519}\n", Unknown),
        ("a hash in a list", "{hash:box.example},box.example {ed25519}\n", Unknown),
        ("a broken hash first", "|1|AAAA|AAAA {other}\nbox.example {ed25519}\n", Known),
        ("a hash of an unknown kind", "|2|LaQJWZRtR3GKlbKcGBZTU+gkmM8=|x {ed25519}\n", Unknown),
        ("a revoked hash", "@revoked {hash:box.example} {ed25519}\n", Revoked),
    ] {
        lab.check(&Case::new(name, known, expected));
    }
    lab.write("known", "box.example {ed25519}\n");
    let mut hash = std::process::Command::new("ssh-keygen");
    crate::bed::run(hash.arg("-H").arg("-f").arg(lab.path("known")), b"").exits(0);
    assert!(std::fs::read_to_string(lab.path("known")).unwrap().starts_with("|1|"));
    assert_eq!((lab.by_ssh(&[]), lab.by_us(&[])), (Known, Known), "hashed by ssh-keygen");
}

#[test]
fn malformed_lines_cost_only_themselves() {
    let lab = Lab::new(&["ed25519"]);
    for (name, known, expected) in [
        ("a word", "gibberish\nbox.example {ed25519}\n", Known),
        ("a name alone", "box.example\nbox.example {ed25519}\n", Known),
        ("a comment for a key", "box.example # {other}\nbox.example {ed25519}\n", Known),
        ("broken base64", "box.example ssh-ed25519 A!B\nbox.example {ed25519}\n", Known),
        ("a cut key", "box.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5\n", Unknown),
        (
            "the type of another key",
            "box.example ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n",
            Unknown,
        ),
        ("a type nobody knows", "box.example ssh-future AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9\n", Unknown),
        ("protocol 1", "box.example 1024 35 1234567890\nbox.example {ed25519}\n", Known),
        ("no blank before the key", "box.example{ed25519}\n", Unknown),
        ("an unknown marker", "@unknown box.example {other}\nbox.example {ed25519}\n", Known),
        ("two markers", "@revoked @cert-authority box.example {ed25519}\n", Unknown),
        (
            "a key over two lines",
            "box.example ssh-ed25519\nAAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n",
            Unknown,
        ),
        ("something behind the key without a blank", "box.example {ed25519}#x\n", Unknown),
        ("a byte order mark", "\u{feff}box.example {ed25519}\n", Unknown),
        ("a byte order mark, then a good line", "\u{feff}# notes\nbox.example {ed25519}\n", Known),
        ("a NUL ends the line", "box.example {ed25519}\0 more\n", Known),
        ("a NUL behind the name is a blank", "box.example\0 {other}\n", Changed),
    ] {
        lab.check(&Case::new(name, known, expected));
    }
    let mut bytes = b"b\xe4d.example, \xff\xfe\n".to_vec();
    bytes.extend_from_slice(lab.fill("box.example {ed25519}\n").as_bytes());
    std::fs::write(lab.path("known"), bytes).unwrap();
    assert_eq!((lab.by_ssh(&[]), lab.by_us(&[])), (Known, Known), "bytes that are no text");
}

#[test]
fn revoked_lines_win() {
    let lab = Lab::new(&["ed25519"]);
    for (name, known, expected) in [
        ("revoked", "@revoked box.example {ed25519}\n", Revoked),
        ("revoked everywhere", "@revoked * {ed25519}\n", Revoked),
        ("revoked, then known", "@revoked * {ed25519}\nbox.example {ed25519}\n", Revoked),
        ("known, then revoked", "box.example {ed25519}\n@revoked * {ed25519}\n", Revoked),
        ("changed and revoked", "box.example {other}\n@revoked * {ed25519}\n", Revoked),
        ("another key is revoked", "@revoked * {other}\nbox.example {ed25519}\n", Known),
        ("only another key is revoked", "@revoked * {other}\n", Unknown),
        ("revoked for another host", "@revoked far.example {ed25519}\nbox.example {ed25519}\n", Known),
        ("a tab behind the marker", "@revoked\tbox.example {ed25519}\nbox.example {ed25519}\n", Known),
        ("nothing but tabs", "@revoked\tbox.example\tssh-ed25519\tAAAA\nbox.example {ed25519}\n", Known),
        ("capital letters", "@REVOKED * {ed25519}\nbox.example {ed25519}\n", Known),
    ] {
        lab.check(&Case::new(name, known, expected));
    }
}

#[test]
fn several_files() {
    // `known` is the lab's UserKnownHostsFile, `global` its GlobalKnownHostsFile.
    let lab = Lab::new(&["ed25519"]);
    lab.write("second", "box.example {ed25519}\n");
    lab.write("a b", "box.example {ed25519}\n");
    lab.write("revoking", "@revoked * {ed25519}\n");
    std::fs::create_dir(lab.path("folder")).unwrap();
    let one = "box.example {ed25519}\n";
    let other = "box.example {other}\n";
    let two: &[&str] = &["UserKnownHostsFile={dir}/known {dir}/second"];
    let revoking: &[&str] = &["UserKnownHostsFile={dir}/known {dir}/revoking"];
    for (name, known, global, options, expected) in [
        ("only in the second", "", "", two, Known),
        ("another key in the first", other, "", two, Known),
        ("revoked in the second", one, "", revoking, Revoked),
        ("only in the system's", "", one, &[], Known),
        ("another key in the system's", "", other, &[], Changed),
        ("another key, the right one in the system's", other, one, &[], Known),
        ("revoked in the system's", one, "@revoked * {ed25519}\n", &[], Revoked),
        ("no file of the person's", one, "", &["UserKnownHostsFile=none"], Unknown),
        ("none, but the system's", other, one, &["UserKnownHostsFile=none"], Known),
        ("/dev/null", one, "", &["UserKnownHostsFile=/dev/null"], Unknown),
        ("a missing file", one, "", &["UserKnownHostsFile={dir}/missing"], Unknown),
        ("a folder", one, "", &["UserKnownHostsFile={dir}/folder"], Unknown),
        ("a folder and a file", one, "", &["UserKnownHostsFile={dir}/folder {dir}/second"], Known),
        ("a name with a blank", "", "", &["UserKnownHostsFile=\"{dir}/a b\""], Known),
    ] {
        lab.check(&Case { global, options, ..Case::new(name, known, expected) });
    }
}

#[test]
fn names_and_ports() {
    let lab = Lab::new(&["ed25519"]);
    let port: &[&str] = &["Port=2222"];
    let alias: &[&str] = &["HostKeyAlias=Known.As"];
    let both: &[&str] = &["HostKeyAlias=known.as", "Port=2222"];
    for (name, known, options, expected, ours) in [
        ("the port", "[box.example]:2222 {ed25519}\n", port, Known, None),
        ("another port", "[box.example]:2223 {ed25519}\n", port, Unknown, None),
        ("without the port", "box.example {ed25519}\n", port, Known, None),
        ("another key without the port", "box.example {other}\n", port, Unknown, None),
        ("another key with the port", "[box.example]:2222 {other}\n", port, Changed, None),
        (
            "another key with the port, the right one without",
            "[box.example]:2222 {other}\nbox.example {ed25519}\n",
            port,
            Changed,
            None,
        ),
        (
            "the right key with the port, another without",
            "[box.example]:2222 {ed25519}\nbox.example {other}\n",
            port,
            Known,
            None,
        ),
        ("a wildcard with the port", "[*.example]:2222 {ed25519}\n", port, Known, None),
        ("a wildcard for the port", "[box.example]:* {ed25519}\n", port, Known, None),
        ("hashed with the port", "{hash:[box.example]:2222} {ed25519}\n", port, Known, None),
        ("hashed without the port", "{hash:box.example} {ed25519}\n", port, Known, None),
        // `ssh` shouts that the key is revoked and then goes on as if it were new; we stop.
        ("revoked without the port", "@revoked box.example {ed25519}\n", port, Unknown, Some(Revoked)),
        ("revoked with the port", "@revoked [box.example]:2222 {ed25519}\nbox.example {ed25519}\n", port, Revoked, None),
        ("an alias", "known.as {ed25519}\n", alias, Known, None),
        ("the name behind an alias", "box.example {ed25519}\n", alias, Unknown, None),
        ("an alias has no port", "known.as {ed25519}\n", both, Known, None),
        ("an alias never gets the port", "[known.as]:2222 {ed25519}\n", both, Unknown, None),
        ("revoked under the alias", "@revoked known.as {ed25519}\n", alias, Revoked, None),
    ] {
        lab.check(&Case { options, ours, ..Case::new(name, known, expected) });
    }
}

#[test]
fn the_order_of_the_types() {
    let lab = Lab::new(&["ed25519", "ecdsa", "rsa"]);
    let one = "box.example {ed25519}\n";
    for (name, known, options, expected) in [
        ("only the ECDSA key", "box.example {ecdsa}\n", &[][..], Known),
        ("only the RSA key", "box.example {rsa}\n", &[], Known),
        ("RSA and ECDSA", "box.example {rsa}\nbox.example {ecdsa}\n", &[], Known),
        ("another RSA key only", "box.example {other_rsa}\n", &[], Changed),
        ("another RSA key, the ECDSA key", "box.example {other_rsa}\nbox.example {ecdsa}\n", &[], Known),
        ("another ED25519 key, the RSA key", "box.example {other}\nbox.example {rsa}\n", &[], Changed),
        ("the RSA key without the port", "box.example {rsa}\n", &["Port=2222"], Unknown),
        ("one type only", one, &["HostKeyAlgorithms=rsa-sha2-512"], Changed),
        ("one type only, known", "box.example {rsa}\n", &["HostKeyAlgorithms=rsa-sha2-256"], Known),
        ("types added", "box.example {rsa}\n", &["HostKeyAlgorithms=+ssh-rsa"], Known),
        ("types put in front", "box.example {rsa}\n", &["HostKeyAlgorithms=^ecdsa-sha2-nistp256"], Changed),
        ("types taken out", "box.example {rsa}\n", &["HostKeyAlgorithms=-ssh-ed25519"], Known),
        ("a type the host has no key of", one, &["HostKeyAlgorithms=ecdsa-sha2-nistp521"], Barred),
        ("an RSA key that is too short", "box.example {rsa}\n", &["RequiredRSASize=3072"], Barred),
        ("RSA keys must be longer, another type", one, &["RequiredRSASize=3072"], Known),
    ] {
        lab.check(&Case { options, ..Case::new(name, known, expected) });
    }
}

#[test]
fn what_the_address_of_a_host_decides() {
    let lab = Lab::new(&["ed25519"]);
    let far: std::net::IpAddr = "192.0.2.7".parse().unwrap();
    let near: std::net::IpAddr = "127.0.0.1".parse().unwrap();
    let said = |known: &str, option: &str, address| {
        lab.write("known", known);
        let target = lab.target(&[option]);
        let checker = Checker::new(&target, &lab.sandbox.local()).unwrap().at(address);
        match checker.decide(&lab.presented(&target, &checker).unwrap()) {
            Decision::Known(known) => known.new_address.unwrap_or_else(|| "known".to_owned()),
            Decision::Add => "add".to_owned(),
            Decision::Ask => "ask".to_owned(),
            Decision::Stop(failure) => failure.code.as_str().to_owned(),
        }
    };
    let other = "192.0.2.7 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n";
    for (known, option, address, expected) in [
        ("box.example {ed25519}\n".to_owned(), "CheckHostIP=yes", far, "192.0.2.7"),
        ("box.example {ed25519}\n".to_owned(), "CheckHostIP=no", far, "known"),
        (format!("box.example {{ed25519}}\n{other}"), "CheckHostIP=yes", far, "host-key-changed"),
        (format!("box.example {{ed25519}}\n{other}"), "CheckHostIP=no", far, "known"),
        (String::new(), "NoHostAuthenticationForLocalhost=yes", near, "known"),
        (String::new(), "NoHostAuthenticationForLocalhost=yes", far, "ask"),
        (String::new(), "NoHostAuthenticationForLocalhost=no", near, "ask"),
    ] {
        assert_eq!(said(&known, option, address), expected, "{known} {option} {address}");
    }
}
