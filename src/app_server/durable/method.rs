//! What a method does, as far as it matters when its answer is lost: only what is known to be harmless is repeated.

/// What may be done about a request of the client whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only reads, or says the same again: asked again.
    Read,
    /// Brings a person's words (`turn/start`, `turn/steer`): looked for before it is sent again.
    Prompt,
    /// Stops a turn: sent again; that there is nothing to stop any more is success.
    Interrupt,
    /// Does something: whether it happened is not known.
    Effect,
}

/// Reads of releases up to 0.169. A read that is not in the list costs an error, never a deed done twice.
const READS: &[&str] = &[
    "account/bedrock/checkGovCloudRequirements",
    "account/bedrock/discover",
    "account/gatewayOAuth/read",
    "account/rateLimits/read",
    "account/read",
    "account/securitySetup/read",
    "account/usage/read",
    "account/workspaceMessages/read",
    "accountSession/list",
    "app/installed",
    "app/list",
    "app/read",
    "collaborationMode/list",
    "config/read",
    "configRequirements/read",
    "environment/info",
    "environment/status",
    "experimentalFeature/list",
    "externalAgentConfig/detect",
    "externalAgentConfig/import/readHistories",
    "fs/getMetadata",
    "fs/readDirectory",
    "fs/readFile",
    "fuzzyFileSearch",
    "getAuthStatus",
    "gitDiffToRemote",
    "hooks/list",
    "mcpServer/resource/read",
    "mcpServerStatus/list",
    "memory/status",
    "model/list",
    "modelProvider/capabilities/read",
    "modelProvider/list",
    "permissionProfile/list",
    "plugin/installed",
    "plugin/list",
    "plugin/read",
    "plugin/search",
    "plugin/share/list",
    "plugin/skill/read",
    "project/list",
    "project/read",
    "remoteControl/client/list",
    "remoteControl/pairing/status",
    "remoteControl/status/read",
    "server/diagnostics",
    "skills/list",
    "thread/attachment/list",
    "thread/attachmentOwner/list",
    "thread/backgroundTerminals/list",
    "thread/goal/get",
    "thread/items/list",
    "thread/items/read",
    "thread/list",
    "thread/loaded/list",
    "thread/memory/read",
    "thread/queue/list",
    "thread/read",
    "thread/realtime/listVoices",
    "thread/search",
    "thread/searchOccurrences",
    "thread/timeline/list",
    "thread/turns/list",
    "threadSection/list",
    "userVerification/status",
    // Not reads, but saying them twice is the same as once.
    "thread/resume",
    "thread/unsubscribe",
];

/// The kind of a method; an unknown one is an [`Kind::Effect`].
#[must_use]
pub fn kind(method: &str) -> Kind {
    match method {
        "turn/start" | "turn/steer" => Kind::Prompt,
        "turn/interrupt" => Kind::Interrupt,
        _ if READS.contains(&method) => Kind::Read,
        _ => Kind::Effect,
    }
}

/// The notifications that carry a piece of an item, and the field of the finished item that has it whole.
#[must_use]
pub fn piece(method: &str) -> Option<Option<&'static str>> {
    match method {
        "item/agentMessage/delta" | "item/plan/delta" => Some(Some("text")),
        "item/commandExecution/outputDelta" => Some(Some("aggregatedOutput")),
        "item/reasoning/summaryTextDelta"
        | "item/reasoning/textDelta"
        | "item/reasoning/summaryPartAdded"
        | "item/fileChange/outputDelta"
        | "item/fileChange/patchUpdated"
        | "item/commandExecution/terminalInteraction"
        | "item/mcpToolCall/progress" => Some(None),
        _ => None,
    }
}

/// Said by the server on every new connection; a client has heard it once.
#[must_use]
pub fn said_on_arrival(method: &str) -> bool {
    matches!(method, "configWarning" | "deprecationNotice" | "remoteControl/status/changed" | "warning")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_to_be_harmless_is_repeated() {
        for (method, want) in [
            ("thread/read", Kind::Read),
            ("thread/resume", Kind::Read),
            ("turn/start", Kind::Prompt),
            ("turn/steer", Kind::Prompt),
            ("turn/interrupt", Kind::Interrupt),
            ("thread/start", Kind::Effect),
            ("thread/fork", Kind::Effect),
            ("thread/readState/update", Kind::Effect),
            ("command/exec", Kind::Effect),
            ("fs/writeFile", Kind::Effect),
            ("account/rateLimitResetCredit/consume", Kind::Effect),
            ("something/new", Kind::Effect),
            ("initialize", Kind::Effect),
        ] {
            assert_eq!(kind(method), want, "{method}");
        }
    }
}
