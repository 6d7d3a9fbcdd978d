//! What would stand in the way of the first turn, as the codex of the host tells it beforehand.
//!
//! Source: `codex doctor --json` of 0.169.0 (0.138 and 0.153 write the same; older ones have no doctor), and what `codex sandbox -- true`
//! says. A report that cannot be read says nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::facts::Fields;
use super::judge::quoted;
use super::remedy::on_host;
use crate::failure::Code;

/// One thing that stands in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// For people; may hold remote text.
    pub text: String,
    /// What to do about it.
    pub hint: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Report {
    checks: BTreeMap<String, Check>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Check {
    status: String,
    summary: String,
    details: BTreeMap<String, Value>,
    remediation: Option<String>,
}

impl Report {
    /// The details of a check that did not go well.
    fn wrong(&self, name: &str) -> Option<&Check> {
        self.checks.get(name).filter(|check| !matches!(check.status.as_str(), "ok" | "skipped" | ""))
    }

    fn detail(&self, check: &str, name: &str) -> &str {
        self.checks.get(check).and_then(|check| check.details.get(name)).and_then(Value::as_str).unwrap_or_default()
    }
}

impl Check {
    /// "name: value" of the details that say what is wrong.
    fn words(&self, any: &[&str]) -> String {
        let text = |(name, value): (&String, &Value)| Some(format!("{name}: {}", value.as_str()?));
        let lines = self.details.iter().filter_map(text).filter(|line| any.is_empty() || any.iter().any(|w| line.contains(w)));
        quoted(&lines.collect::<Vec<_>>().join("\n"))
    }
}

/// All that was found.
#[must_use]
pub fn findings(fields: &Fields) -> Vec<Finding> {
    let report: Report = fields.get("doctor").and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let missing = fields.companions().iter().map(|name| companion(&format!("{name}, which belongs to this codex")));
    [late(fields), config(&report), unreachable(&report), certificates(&report), search(&report), sandbox(&report, fields)]
        .into_iter()
        .flatten()
        .chain(missing)
        .collect()
}

fn late(fields: &Fields) -> Option<Finding> {
    let seconds: u32 = fields.get("doctor_late")?.parse().ok()?;
    Some(Finding {
        code: Code::DoctorSlow,
        text: format!("codex doctor was not finished in {seconds} s: what it would find is not known"),
        hint: format!("see what it waits for: {}", on_host(&[fields.get("runs").unwrap_or("codex"), "doctor"])),
    })
}

fn config(report: &Report) -> Option<Finding> {
    let check = report.wrong("config.load")?;
    let text = format!("codex's configuration there cannot be read: {}\n{}", check.summary, check.words(&[]));
    Some(Finding { code: Code::CodexConfig, text, hint: super::remedy::CONFIG.to_owned() })
}

fn unreachable(report: &Report) -> Option<Finding> {
    let check = report.wrong("network.provider_reachability")?;
    // Of a configuration that cannot be read it does not know the provider.
    if report.wrong("config.load").is_some() {
        return None;
    }
    let hint = if report.detail("network.env", "proxy env vars present").is_empty() {
        "where a proxy leads out: outpost hosts set HOST env.HTTPS_PROXY=http://PROXY:PORT"
    } else {
        "the environment there names a proxy; another one: outpost hosts set HOST env.HTTPS_PROXY=http://PROXY:PORT"
    };
    // An address that answers with an HTTP error is reached: providers of one's own need not know every path.
    let words = check.words(&["failed", "error", "timed out"]);
    if words.is_empty() {
        return None;
    }
    Some(Finding {
        code: Code::ApiUnreachable,
        text: format!("the host does not reach the model: {words}"),
        hint: hint.to_owned(),
    })
}

fn certificates(report: &Report) -> Option<Finding> {
    let check = report.wrong("network.env")?;
    let text = format!(
        "the network settings of the environment there are wrong: {}\n{}",
        check.summary,
        check.words(&["os error", "cannot", "invalid"])
    );
    let hint = "outpost hosts set HOST env.SSL_CERT_FILE=/path/to/a/readable/file.pem".to_owned();
    Some(Finding { code: Code::NetworkEnvironment, text, hint })
}

fn search(report: &Report) -> Option<Finding> {
    let check = report.wrong("runtime.search")?;
    let found = companion(&format!("the program that searches files ({})", check.words(&["readiness"])));
    let words = check.remediation.as_deref().map(quoted);
    let hint = words.map_or(found.hint.clone(), |words| format!("{}\n{words}", found.hint));
    Some(Finding { hint, ..found })
}

fn companion(name: &str) -> Finding {
    let hint = "install the whole of codex, not the one program: outpost install HOST".to_owned();
    Finding { code: Code::CompanionMissing, text: format!("missing: {name}"), hint }
}

fn sandbox(report: &Report, fields: &Fields) -> Option<Finding> {
    // 2: it does not know the command.
    let status = fields.get("sandbox_status").filter(|status| !matches!(*status, "0" | "2"))?;
    // Who has switched the sandbox off does not miss it; with a broken configuration it was not even tried.
    if report.wrong("config.load").is_some() {
        return None;
    }
    if report.detail("sandbox.helpers", "filesystem sandbox") == "unrestricted" {
        return None;
    }
    let words = fields.get("sandbox").unwrap_or_default();
    let kept: Vec<&str> = words.lines().filter(|line| !line.starts_with("WARNING")).collect();
    let words = if kept.is_empty() { format!("it ended with {status}") } else { quoted(&kept.join("\n")) };
    let hint = "commands will fail there, or need an approval each. An administrator can allow user namespaces: sudo sysctl -w \
                kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=15000";
    Some(Finding {
        code: Code::SandboxBroken,
        text: format!("codex's sandbox for commands does not start: {words}"),
        hint: hint.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(fields: &[(&str, &str)]) -> Vec<(Code, String)> {
        let mut all = Fields::default();
        for (key, value) in fields {
            all.add((*key).to_owned(), value.as_bytes());
        }
        findings(&all).into_iter().map(|finding| (finding.code, finding.text)).collect()
    }

    #[test]
    fn what_the_doctor_says_is_sorted_by_cause() {
        let report = r#"{"schemaVersion": 1, "future": [], "checks": {
            "config.load": {"status": "ok"},
            "network.provider_reachability": {"status": "fail", "details": {
                "reachability mode": "ChatGPT auth", "ChatGPT inference URL": "https://chatgpt.com/… connect failed (required)"}},
            "network.env": {"status": "warning", "summary": "custom CA env var points at an unreadable path",
                "details": {"SSL_CERT_FILE": "/x (No such file or directory (os error 2))", "managed proxy": "not configured"}},
            "runtime.search": {"status": "warning", "details": {"search command readiness": "cannot find binary path"}},
            "sandbox.helpers": {"status": "ok", "details": {"filesystem sandbox": "restricted"}},
            "updates.status": {"status": "warning", "details": {"a": ["list"]}}
        }}"#;
        let sandbox = "WARNING: proceeding\nbwrap: Creating new namespace failed";
        let all = found(&[("doctor", report), ("sandbox_status", "1"), ("sandbox", sandbox), ("companion", "codex-x-host")]);
        let codes: Vec<Code> = all.iter().map(|(code, _)| *code).collect();
        assert_eq!(
            codes,
            [Code::ApiUnreachable, Code::NetworkEnvironment, Code::CompanionMissing, Code::SandboxBroken, Code::CompanionMissing]
        );
        let text = all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(text);
    }

    #[test]
    fn no_report_is_no_finding() {
        for doctor in ["", "error: unexpected argument '--json' found", "{}", r#"{"checks": {}}"#, r#"{"checks": 1}"#] {
            assert_eq!(found(&[("doctor", doctor), ("sandbox_status", "0"), ("sandbox", "")]), []);
        }
        assert_eq!(found(&[("sandbox_status", "2"), ("sandbox", "error: what is a sandbox?")]), []);
        let reached = r#"{"checks": {"network.provider_reachability": {"status": "fail", "details": {
            "scripted API route probe": "http://127.0.0.1/v1/… returned HTTP 404 (required)"}}}}"#;
        assert_eq!(found(&[("doctor", reached)]), []);
        let broken = r#"{"checks": {"config.load": {"status": "fail", "summary": "config could not be loaded",
            "details": {"file": "/h/config.toml", "line": "3"}}, "network.provider_reachability": {"status": "fail",
            "details": {"OpenAI": "https://api.openai.com/v1 connect failed (required)"}}}}"#;
        let words =
            "codex's configuration there cannot be read: config could not be loaded\nfile: /h/config.toml\nline: 3".to_owned();
        let failed = ("sandbox", "Error: /h/config.toml:3:8: extra `=`");
        assert_eq!(found(&[("doctor", broken), ("sandbox_status", "1"), failed]), [(Code::CodexConfig, words)]);
        let off = r#"{"checks": {"sandbox.helpers": {"status": "ok", "details": {"filesystem sandbox": "unrestricted"}}}}"#;
        assert_eq!(found(&[("doctor", off), ("sandbox_status", "1"), ("sandbox", "bwrap: no")]), []);
    }
}
