//! Where each honoured keyword is seen to have its effect: a test for each row of the table in `src/ssh/keywords.rs`.

use std::path::Path;

use outpost::ssh::keywords::{KEYWORDS, Meaning};

/// A file, a test in it, and the keywords whose effect it shows. What `ssh -G` itself evaluates is not here.
const SHOWN: &[(&str, &str, &str)] = &[
    ("src/ssh/route/dial.rs", "the_configuration_says_where_from", "HostName Port BindAddress AddressFamily"),
    ("src/ssh/route/dial.rs", "each_attempt_has_the_whole_time", "ConnectionAttempts"),
    ("src/ssh/route/socket.rs", "a_connection_comes_from_where_it_is_bound_to", "BindInterface"),
    ("src/ssh/route/socket.rs", "tcp_keep_alive_and_ip_qos_reach_the_socket", "TCPKeepAlive IPQoS"),
    ("tests/it/session_wire.rs", "a_login_that_is_not_answered_is_given_up_in_time", "ConnectTimeout"),
    ("tests/it/session_route.rs", "field_08_jump_hosts_and_proxies", "ProxyJump"),
    ("tests/it/session_route.rs", "field_51_each_cause_has_its_code", "ProxyCommand"),
    ("tests/it/session_route.rs", "field_54_a_silent_link_is_noticed", "ServerAliveInterval ServerAliveCountMax"),
    ("tests/it/session_like_ssh.rs", "tokens_of_a_command", "User"),
    ("tests/it/session_keys.rs", "every_type_of_key_file_logs_in", "IdentityFile"),
    ("tests/it/session_keys.rs", "the_agents_other_keys_are_offered_as_often_as_a_stock_sshd_takes", "IdentitiesOnly"),
    ("tests/it/session_keys.rs", "field_09_agent_only_identity", "IdentityAgent"),
    ("tests/it/session_keys.rs", "certificates_log_in_from_files_and_from_the_agent", "CertificateFile"),
    ("tests/it/session_keys.rs", "a_used_key_goes_into_the_agent_when_asked_for", "AddKeysToAgent"),
    ("tests/it/session_keys.rs", "variables_are_sent_as_the_configuration_says", "SendEnv SetEnv"),
    ("tests/it/session_login.rs", "the_order_is_the_persons", "PreferredAuthentications"),
    ("tests/it/session_login.rs", "wrong_passwords_end_after_the_prompts_that_are_allowed", "NumberOfPasswordPrompts"),
    ("tests/it/session_login.rs", "field_12_password_only", "BatchMode"),
    (
        "src/ssh/auth/plan.rs",
        "the_configuration_orders_and_forbids",
        "PubkeyAuthentication PasswordAuthentication KbdInteractiveAuthentication",
    ),
    ("tests/it/algorithms.rs", "a_person_s_keys_are_held_against_the_lists", "PubkeyAcceptedAlgorithms RequiredRSASize"),
    ("tests/it/algorithms.rs", "plus_minus_and_caret_as_ssh_evaluates_them", "CASignatureAlgorithms"),
    ("tests/it/algorithms.rs", "a_list_of_the_person_s_stays_in_their_order", "KexAlgorithms Ciphers MACs HostKeyAlgorithms"),
    ("tests/it/host_keys/files.rs", "several_files", "UserKnownHostsFile GlobalKnownHostsFile"),
    ("tests/it/host_keys/files.rs", "names_and_ports", "HostKeyAlias"),
    ("tests/it/host_keys/files.rs", "what_the_address_of_a_host_decides", "CheckHostIP NoHostAuthenticationForLocalhost"),
    ("tests/it/host_keys/revoked.rs", "files_that_cannot_be_read_refuse", "RevokedHostKeys"),
    ("tests/it/host_keys/asked.rs", "what_is_written_is_what_ssh_writes", "StrictHostKeyChecking HashKnownHosts"),
    ("tests/it/host_keys/asked.rs", "the_picture_is_shown_once", "VisualHostKey"),
    ("tests/it/host_keys/learned.rs", "the_same_keys_as_ssh", "UpdateHostKeys"),
    ("tests/it/session_wire.rs", "compression_is_used_where_it_is_asked_for", "Compression"),
    ("tests/it/session_wire.rs", "data_is_whole_over_new_keys_whoever_wants_them", "RekeyLimit"),
    ("tests/it/agent.rs", "a_jump_host_is_lent_nothing", "ForwardAgent"),
];

/// The text of a test, from its name to the brace that closes it; nothing where it is no test.
fn body(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).ok()?;
    let (before, rest) = text.split_once(&format!("fn {name}()"))?;
    let margin = before.rsplit('\n').next()?.len() - before.rsplit('\n').next()?.trim_start().len();
    let is_test = before.trim_end_matches(|c: char| c != '\n').trim_end().lines().last()?.contains("test");
    let end = format!("\n{}}}\n", " ".repeat(margin));
    rest.split(&end).next().filter(|_| is_test).map(str::to_lowercase)
}

#[test]
fn each_honoured_keyword_is_seen_to_have_its_effect() {
    let mut wrong = Vec::new();
    for (file, name, keywords) in SHOWN {
        let body = body(file, name).unwrap_or_default();
        let unseen = keywords.split(' ').filter(|keyword| !body.contains(&keyword.to_lowercase()));
        wrong.extend(unseen.map(|keyword| format!("{file}: {name} says nothing of {keyword}")));
    }
    let shown = |name: &str| SHOWN.iter().any(|(.., keywords)| keywords.split(' ').any(|keyword| keyword == name));
    let honoured = KEYWORDS.iter().filter(|row| row.meaning == Meaning::Honoured && !row.note.contains("`ssh -G`"));
    wrong.extend(honoured.filter(|row| !shown(row.name)).map(|row| format!("no test shows the effect of {}", row.name)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
