//! The gate: `outpost enable` and `disable`, and what runs without it.

use crate::bed::Sandbox;

#[test]
fn enable_and_disable_change_one_key() {
    let sandbox = Sandbox::without_gate();
    let config = sandbox.write("codex-home/config.toml", "# mine\r\nmodel = \"m\"\r\n\r\n[features]\r\nother = true # keep\r\n");
    let on = sandbox.run(&["enable"]).exits(0);
    insta::assert_snapshot!(sandbox.stable(&format!("{}{}", on.stdout, on.stderr)), @r"
    remote connections are on: [SANDBOX]/codex-home/config.toml now says `[features] remote_connections = true`
    note: `codex --strict-config` refuses a config.toml with this key; plain `codex` only warns of it
    ");
    let text = "# mine\r\nmodel = \"m\"\r\n\r\n[features]\r\nother = true # keep\r\nremote_connections = true\r\n";
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
    assert!(sandbox.run(&["enable"]).exits(0).stdout.contains("did not have to be changed"));
    sandbox.run(&["disable"]).exits(0);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text.replace("connections = true", "connections = false"));
    assert!(sandbox.run(&["disable"]).exits(0).stdout.contains("did not have to be changed"));
}

#[test]
fn a_missing_file_is_made_for_its_owner_only() {
    let sandbox = Sandbox::without_gate();
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["enable"]).exits(0).stdout), @"remote connections are on: made [SANDBOX]/codex-home/config.toml with `[features] remote_connections = true`");
    let meta = std::fs::metadata(sandbox.codex_home().join("config.toml")).unwrap();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&meta.permissions()) & 0o777, 0o600);
}

#[test]
fn a_broken_file_is_exit_4_with_its_place_and_left_alone() {
    for (bytes, place) in [
        (&b"a = 1\n[features\n"[..], "config.toml:2:10"),
        (b"[features]\nremote_connections = \"yes\"\n", "config.toml:2:22"),
        (b"a = \"\xff\"\n", "config.toml:1:6"),
    ] {
        let sandbox = Sandbox::without_gate();
        let path = sandbox.codex_home().join("config.toml");
        std::fs::write(&path, bytes).unwrap();
        for args in [&["enable"][..], &["disable"], &["hosts"]] {
            let ran = sandbox.run(args).exits(4);
            assert!(ran.stderr.contains(place), "{args:?}: {}", ran.stderr);
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes);
    }
}

#[test]
fn a_broken_file_in_full() {
    let sandbox = Sandbox::without_gate();
    sandbox.write("codex-home/config.toml", "[features]\nremote_connections = 1\n");
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["enable"]).exits(4).stderr), @r"
    error[config-broken]: [SANDBOX]/codex-home/config.toml:2:22
      said: `remote_connections` is an integer, not true or false
      try:  mend line 2 of [SANDBOX]/codex-home/config.toml; it is left as it is until then
    ");
}

#[test]
fn a_folder_or_a_huge_file_is_an_error() {
    let sandbox = Sandbox::without_gate();
    let path = sandbox.codex_home().join("config.toml");
    std::fs::create_dir(&path).unwrap();
    assert!(sandbox.run(&["enable"]).exits(4).stderr.contains("it is a directory, not a file"));
    std::fs::remove_dir(&path).unwrap();
    std::fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
    assert!(sandbox.run(&["enable"]).exits(4).stderr.contains("bytes; at most"));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 200 << 20);
}

#[test]
fn a_link_is_followed_and_stays() {
    let sandbox = Sandbox::without_gate();
    let real = sandbox.write("dots/codex.toml", "a = 1\n");
    let link = sandbox.codex_home().join("config.toml");
    std::os::unix::fs::symlink("../dots/codex.toml", &link).unwrap();
    sandbox.run(&["enable"]).exits(0);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_to_string(real).unwrap(), "a = 1\n\n[features]\nremote_connections = true\n");
}

/// Listing touches no host, so it works; it says what is missing for more.
#[test]
fn hosts_are_listed_with_the_gate_off() {
    let sandbox = Sandbox::without_gate();
    sandbox.add_ssh_config("Host a\n");
    let ran = sandbox.run(&["hosts"]).exits(0);
    assert!(ran.stdout.starts_with("a  "), "{}", ran.stdout);
    assert_eq!(ran.stderr, "note: remote connections are off; `outpost enable` switches them on\n");
}

/// Every command that would touch a host says so and how to switch it on.
#[test]
fn commands_that_touch_a_host_are_exit_3() {
    let sandbox = Sandbox::without_gate();
    sandbox.add_ssh_config("Host a\n  ProxyCommand touch $HOME/ran\n");
    for args in [&["check", "a"][..], &["run", "a:/tmp", "hello"], &["threads", "a"]] {
        let ran = sandbox.run(args).exits(3);
        assert!(ran.stderr.starts_with("error[gate-off]: ") && ran.stderr.contains("outpost enable"), "{args:?}: {}", ran.stderr);
    }
    assert!(!sandbox.home().join("ran").exists());
    insta::assert_snapshot!(sandbox.stable(&sandbox.run(&["check", "a"]).exits(3).stderr), @r"
    error[gate-off]: remote connections are switched off
      said: [SANDBOX]/codex-home/config.toml does not say `[features] remote_connections = true`
      try:  outpost enable
    ");
}

#[test]
fn scripts_are_told_in_json() {
    let sandbox = Sandbox::without_gate();
    let said = |args: &[&str]| sandbox.stable(&sandbox.run(args).exits(0).stdout);
    let line = |on: bool, changed: bool| {
        format!("{{\"remote_connections\":{on},\"file\":\"[SANDBOX]/codex-home/config.toml\",\"changed\":{changed}}}\n")
    };
    assert_eq!(said(&["enable", "--json"]), line(true, true));
    assert_eq!(said(&["enable", "--json"]), line(true, false));
    assert_eq!(said(&["disable", "--json"]), line(false, true));
}
