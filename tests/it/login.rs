//! `outpost login` against the real codex over a real sshd; OpenAI is played by a stand-in where it would be asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::bed::{Codex, Host, Sandbox, codex_folder, native, process::Watchdog};

/// Plays OpenAI: the device sign-in, once it is `open`, and who a token belongs to.
pub(crate) struct OpenAi {
    pub(crate) url: String,
    open: Arc<AtomicBool>,
}

impl OpenAi {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let open = Arc::new(AtomicBool::new(false));
        let gate = Arc::clone(&open);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let gate = Arc::clone(&gate);
                std::thread::spawn(move || answer(stream, &gate));
            }
        });
        Self { url, open }
    }
}

/// Answers one request.
fn answer(stream: TcpStream, gate: &AtomicBool) {
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok();
    let mut line = String::from("x");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).ok();
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).ok();
    let (status, body) = said(first.split(' ').nth(1).unwrap_or_default(), gate);
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    reader.get_mut().write_all((head + &body).as_bytes()).ok();
}

fn said(path: &str, gate: &AtomicBool) -> (u16, Value) {
    let claims = json!({"email": "me@example.org", "exp": 4_102_444_800_u64,
        "https://api.openai.com/auth": {"chatgpt_account_id": "a1", "chatgpt_plan_type": "plus", "chatgpt_user_id": "u1"}});
    let jwt = [json!({"alg": "none"}), claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string())).join(".") + ".c2ln";
    match path.rsplit('/').next().unwrap_or_default() {
        "usercode" => (
            200,
            json!({"device_auth_id": "d", "user_code": "ABCD-12345", "interval": "1", "expires_at": "2099-01-01T00:00:00Z"}),
        ),
        "token" if path.contains("deviceauth") && !gate.load(Ordering::SeqCst) => (403, json!({})),
        "token" if path.contains("deviceauth") => {
            (200, json!({"authorization_code": "c", "code_challenge": "cc", "code_verifier": "cv"}))
        }
        "token" => (200, json!({"id_token": jwt, "access_token": jwt, "refresh_token": "r"})),
        "whoami" => (
            200,
            json!({"email": "me@example.org", "chatgpt_user_id": "u1", "chatgpt_account_id": "a1",
            "chatgpt_plan_type": "plus", "chatgpt_account_is_fedramp": false}),
        ),
        _ => (404, json!({})),
    }
}

/// The files below a folder that hold some bytes.
pub(crate) fn holding(folder: &Path, word: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(holding(&path, word));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(word.len()).any(|w| w == word.as_bytes()) {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found
}

/// A host whose codex first writes down all that every process of the machine shows of itself.
fn watched(sandbox: &Sandbox) -> Host {
    let script = format!(
        "#!/bin/sh\ncat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >> \"$HOME/shown\" 2>/dev/null\nexec {} \"$@\"\n",
        native().display()
    );
    let path = sandbox.write("watched/codex", &script);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.host("devbox").codex(&Codex::in_folder(path.parent().unwrap())).build()
}

#[test]
fn a_key_reaches_the_remote_codex_and_nothing_else() {
    let sandbox = Sandbox::new();
    let host = watched(&sandbox);
    let secret = "sk-test-7fa3bc01d29e";
    for carrier in ["builtin", "ssh"] {
        let ran = sandbox.run_with(&["--carrier", carrier, "login", "devbox", "--with-api-key"], &format!("{secret}\n")).exits(0);
        assert!(!format!("{}{}", ran.stdout, ran.stderr).contains(secret), "{} {}", ran.stdout, ran.stderr);
        let auth = std::fs::read_to_string(host.home.join(".codex/auth.json")).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&auth).unwrap()["OPENAI_API_KEY"], secret);
        // What every process showed while codex read it.
        assert_eq!(holding(&host.home, "--with-api-key"), ["shown"], "{carrier}");
        assert_eq!(holding(sandbox.path(), secret), ["auth.json"], "{carrier}");

        let told = sandbox.run(&["login", "devbox", "status"]).exits(0);
        assert_eq!(told.stdout, "devbox: API key configured - sk-test-***1d29e\n", "{}", told.stderr);
        sandbox.run(&["login", "devbox", "logout"]).exits(0);
        assert_eq!(holding(sandbox.path(), secret), Vec::<String>::new());
        let told = sandbox.run(&["login", "devbox", "status"]).exits(6);
        let lines: Vec<&str> = told.stderr.lines().map(str::trim).collect();
        let wanted =
            ["error[not-signed-in]: devbox: ask codex who is signed in", "said: Not logged in", "try:  outpost login devbox"];
        assert_eq!(lines, wanted);
        let again = sandbox.run(&["login", "devbox", "logout"]).exits(0);
        assert!(again.stdout.contains("Not logged in") && again.stderr == "devbox: nobody was signed in there\n", "{again:?}");
        let told = sandbox.run(&["login", "devbox", "status", "--json"]).exits(6);
        assert_eq!(told.stdout, "{\"host\":\"devbox\",\"signed_in\":false,\"detail\":\"Not logged in\"}\n");
    }
}

#[test]
fn field_18_a_person_signs_in_with_a_code() {
    let (sandbox, openai) = (Sandbox::new(), OpenAi::start());
    let host = sandbox.host("devbox").codex(&Codex::in_folder(&codex_folder())).build();
    let args = ["login", "devbox", "--device-auth", "--experimental_issuer", &openai.url];
    let mut child = sandbox.outpost(&args).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let (watchdog, mut out, mut text) = (Watchdog::over(&child), BufReader::new(child.stdout.take().unwrap()), String::new());
    while !text.contains("ABCD-12345") {
        assert!(out.read_line(&mut text).unwrap() > 0, "it ended: {text}");
    }
    assert!(text.contains(&format!("{}/codex/device", openai.url)) && !text.contains('\u{1b}'), "{text}");
    openai.open.store(true, Ordering::SeqCst);
    out.read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
    watchdog.off();
    assert!(text.contains("Successfully logged in"), "{text}");
    assert!(std::fs::read_to_string(host.home.join(".codex/auth.json")).unwrap().contains("refresh_token"));
    let told = sandbox.run(&["login", "devbox", "status"]).exits(0);
    assert_eq!(told.stdout, "devbox: Logged in using ChatGPT\n");
}

#[test]
fn a_token_is_taken_or_refused_in_codexs_words() {
    let (sandbox, openai) = (Sandbox::new(), OpenAi::start());
    sandbox.host("devbox").codex(&Codex::in_folder(&codex_folder())).build();
    sandbox.run(&["hosts", "set", "devbox", &format!("env.CODEX_AUTHAPI_BASE_URL={}", openai.url)]).exits(0);
    sandbox.run_with(&["login", "devbox", "--with-access-token"], "at-3141592653").exits(0);
    let told = sandbox.run(&["login", "devbox", "status"]).exits(0);
    assert_eq!(told.stdout, "devbox: Logged in using personal access token\n");
    let refused = sandbox.run_with(&["login", "devbox", "--with-access-token"], "bogus\n").exits(6);
    assert!(refused.stdout.contains("Error logging in with access token"), "{}", refused.stdout);
    assert!(refused.stderr.contains("error[login-failed]: devbox: sign codex in or out"), "{}", refused.stderr);
    for empty in ["", "\n"] {
        assert!(sandbox.run_with(&["login", "devbox", "--with-api-key"], empty).exits(2).stderr.contains("it is empty"));
    }
    sandbox.run(&["login", "devbox", "status", "--with-api-key"]).exits(2);
    let (mut said, json) = (String::new(), ["login", "devbox", "--with-api-key", "--json"]);
    for (args, input) in [
        (&["login", "devbox", "--with-api-key"][..], "two words\n"),
        (&["login", "devbox", "--with-access-token"], "one\ntwo\n"),
        (&["login", "devbox", "--json"], ""),
        (&["login", "devbox", "logout", "--json"], ""),
        (&json, "sk-1"),
    ] {
        said += &sandbox.run_with(args, input).exits(2).stderr;
    }
    insta::assert_snapshot!(said, @r"
    error[usage]: read the API key from standard input
      said: it is no API key: it has blanks or line ends in it
      try:  printenv NAME | outpost login …
    error[usage]: read the access token from standard input
      said: it is no access token: it has blanks or line ends in it
      try:  printenv NAME | outpost login …
    error[usage]: login --json
      said: only who is signed in is told as JSON
      try:  outpost login devbox status --json
    error[usage]: login --json
      said: only who is signed in is told as JSON
      try:  outpost login devbox status --json
    error[usage]: login --json
      said: only who is signed in is told as JSON
      try:  outpost login devbox status --json
    ");
}
