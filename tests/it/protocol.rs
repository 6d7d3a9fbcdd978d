//! Our views of the protocol are held against the schema that the installed codex prints.

use serde_json::Value;

/// The fields that `app_server::protocol` reads, by the schema's names.
const READ: &[(&str, &[&str])] = &[
    ("InitializeResponse", &["userAgent", "codexHome", "platformFamily", "platformOs"]),
    ("GetAccountResponse", &["account", "requiresOpenaiAuth"]),
    ("Thread", &["id", "cwd", "status", "preview", "name", "createdAt", "updatedAt", "gitInfo", "turns", "ephemeral"]),
    ("GitInfo", &["branch", "sha"]),
    ("Turn", &["id", "status", "error", "items"]),
    ("TurnError", &["message", "additionalDetails"]),
    ("ThreadResumeResponse", &["thread", "model", "initialTurnsPage"]),
    ("ThreadItemEntry", &["turnId", "item", "startedAtMs"]),
    ("ThreadItemsListParams", &["threadId", "turnId", "cursor", "limit", "sortDirection"]),
    ("ThreadItemsListResponse", &["data", "nextCursor"]),
    ("ThreadTurnsListParams", &["threadId", "cursor", "limit", "sortDirection", "itemsView"]),
    ("ThreadResumeParams", &["threadId", "excludeTurns"]),
    ("TurnStartParams", &["threadId", "input", "clientUserMessageId", "effort", "outputSchema"]),
    ("TurnSteerParams", &["threadId", "expectedTurnId", "input", "clientUserMessageId"]),
    ("TurnSteerResponse", &["turnId"]),
    ("FileUpdateChange", &["path", "kind", "diff"]),
    ("ServerRequestResolvedNotification", &["threadId", "requestId"]),
    ("ItemStartedNotification", &["threadId", "turnId", "item", "startedAtMs"]),
    ("ItemCompletedNotification", &["threadId", "turnId", "item", "completedAtMs"]),
    ("AgentMessageDeltaNotification", &["threadId", "turnId", "itemId", "delta"]),
    ("CommandExecutionOutputDeltaNotification", &["threadId", "turnId", "itemId", "delta"]),
    ("WarningNotification", &["message", "threadId"]),
];

/// The fields of the items, by the `type` that tells them apart.
const ITEMS: &[(&str, &[&str])] = &[
    ("userMessage", &["id", "clientId", "content"]),
    ("agentMessage", &["id", "text"]),
    ("reasoning", &["id", "summary"]),
    ("plan", &["id", "text"]),
    ("commandExecution", &["id", "command", "cwd", "status", "aggregatedOutput", "exitCode", "durationMs"]),
    ("fileChange", &["id", "changes", "status"]),
    ("mcpToolCall", &["id", "server", "tool", "status"]),
    ("webSearch", &["id", "query"]),
    ("exitedReviewMode", &["id", "review"]),
];

/// What is sent, listened to and answered.
const METHODS: &[(&str, &[&str])] = &[
    (
        "ClientRequest.json",
        &[
            "initialize",
            "account/read",
            "thread/start",
            "thread/resume",
            "thread/list",
            "thread/read",
            "thread/turns/list",
            "thread/items/list",
            "thread/unsubscribe",
            "turn/start",
            "turn/steer",
            "turn/interrupt",
        ],
    ),
    (
        "ServerNotification.json",
        &[
            "turn/started",
            "turn/completed",
            "item/started",
            "item/completed",
            "item/agentMessage/delta",
            "item/plan/delta",
            "item/commandExecution/outputDelta",
            "item/reasoning/summaryTextDelta",
            "item/fileChange/patchUpdated",
            "thread/status/changed",
            "thread/closed",
            "serverRequest/resolved",
            "turn/diff/updated",
            "turn/plan/updated",
            "error",
            "warning",
            "configWarning",
            "deprecationNotice",
        ],
    ),
    (
        "ServerRequest.json",
        &[
            "item/commandExecution/requestApproval",
            "item/fileChange/requestApproval",
            "item/permissions/requestApproval",
            "item/tool/requestUserInput",
            "mcpServer/elicitation/request",
        ],
    ),
];

fn read(path: &std::path::Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn missing(of: &Value, name: &str, fields: &[&str]) -> Vec<String> {
    fields.iter().filter(|f| of["properties"].get(**f).is_none()).map(|f| format!("{name}.{f}")).collect()
}

#[test]
fn the_installed_codex_has_what_we_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut codex = std::process::Command::new(super::bed::codex_folder().join("codex"));
    codex.args(["app-server", "generate-json-schema", "--experimental", "--out"]).arg(dir.path()).env("HOME", dir.path());
    super::bed::run(&mut codex, b"").exits(0);
    let whole = read(&dir.path().join("codex_app_server_protocol.schemas.json"));
    let second = read(&dir.path().join("codex_app_server_protocol.v2.schemas.json"));
    let find = |name: &str| {
        let found = &second["definitions"][name];
        if found.is_null() { whole["definitions"][name].clone() } else { found.clone() }
    };
    let mut gone: Vec<String> = READ.iter().flat_map(|(name, fields)| missing(&find(name), name, fields)).collect();
    let items = find("ThreadItem")["oneOf"].as_array().cloned().unwrap_or_default();
    for (kind, fields) in ITEMS {
        let item = items.iter().find(|i| i["properties"]["type"]["enum"][0] == *kind).cloned().unwrap_or_default();
        gone.extend(missing(&item, kind, fields));
    }
    for (file, methods) in METHODS {
        let listed = read(&dir.path().join(file))["oneOf"].as_array().cloned().unwrap_or_default();
        let has = |method: &str| listed.iter().any(|v| v["properties"]["method"]["enum"][0] == method);
        gone.extend(methods.iter().filter(|m| !has(m)).map(|m| (*m).to_owned()));
    }
    assert!(gone.is_empty(), "not in the schema: {gone:?}");
}
