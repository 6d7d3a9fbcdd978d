//! Every keyword of ssh_config(5) and what becomes of it here: nothing that a person wrote is passed over in silence.
//!
//! `docs/SSH.md` shows this table. Tests hold it against `ssh -G`, the manual of the installed OpenSSH, and what later releases added.

use crate::failure::{Code, Failure};
use crate::host::target::Target;

/// What becomes of a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// The built-in SSH does what OpenSSH does.
    Honoured,
    /// It has no meaning for what Outpost does with a connection, or leaving it out is only stricter.
    NoMeaning,
    /// Only the system's `ssh` can do it; refused where it differs from the default.
    Refused,
}

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Keyword {
    /// The keyword, as the manual writes it.
    pub name: &'static str,
    /// What becomes of it.
    pub meaning: Meaning,
    /// How, or why not.
    pub note: &'static str,
}

macro_rules! keywords {
    ($($meaning:ident: $note:literal { $($name:ident)+ })+) => {
        /// All keywords, grouped by what they are about.
        pub const KEYWORDS: &[Keyword] = &[
            $($(Keyword { name: stringify!($name), meaning: Meaning::$meaning, note: $note },)+)+
        ];
    };
}

keywords! {
    Honoured: "read by `ssh -G`, which answers for the host after all of them" {
        Host Match Include IgnoreUnknown Tag
        CanonicalizeHostname CanonicalDomains CanonicalizeFallbackLocal CanonicalizeMaxDots CanonicalizePermittedCNAMEs
    }
    Honoured: "the way to the host" {
        HostName Port AddressFamily BindAddress BindInterface ConnectTimeout ConnectionAttempts ProxyJump ProxyCommand
        TCPKeepAlive ServerAliveInterval ServerAliveCountMax IPQoS
    }
    Honoured: "who you are" {
        User IdentityFile IdentitiesOnly IdentityAgent CertificateFile AddKeysToAgent PreferredAuthentications
        PubkeyAuthentication PasswordAuthentication KbdInteractiveAuthentication NumberOfPasswordPrompts
        PubkeyAcceptedAlgorithms BatchMode
    }
    Honoured: "who they are" {
        UserKnownHostsFile GlobalKnownHostsFile HostKeyAlias RevokedHostKeys HostKeyAlgorithms StrictHostKeyChecking
        CheckHostIP NoHostAuthenticationForLocalhost HashKnownHosts UpdateHostKeys VisualHostKey CASignatureAlgorithms
        RequiredRSASize
    }
    Honoured: "the connection itself" { KexAlgorithms Ciphers MACs Compression RekeyLimit SendEnv SetEnv }
    Honoured: "off unless asked for; never to jump hosts; through a link on the host that lives over reconnects" { ForwardAgent }
    NoMeaning: "our channels run our commands and open our forwards only" {
        RemoteCommand RequestTTY SessionType StdinNull ForkAfterAuthentication EscapeChar EnableEscapeCommandline
        LocalForward RemoteForward DynamicForward PermitRemoteOpen GatewayPorts ClearAllForwardings ExitOnForwardFailure
        StreamLocalBindMask StreamLocalBindUnlink Tunnel TunnelDevice ForwardX11 ForwardX11Timeout ForwardX11Trusted XAuthLocation
        LocalCommand PermitLocalCommand ObscureKeystrokeTiming ChannelTimeout
    }
    NoMeaning: "one connection is shared inside the process; with `--carrier ssh` your ControlMaster is used" {
        ControlMaster ControlPath ControlPersist
    }
    NoMeaning: "what OpenSSH itself writes to its log or shows; ours always names SHA256 fingerprints" {
        LogLevel LogVerbose SyslogFacility FingerprintHash WarnWeakCrypto VersionAddendum
    }
    NoMeaning: "one way to log in among others; where the server takes no other, the error names `--carrier ssh`" {
        GSSAPIAuthentication GSSAPIDelegateCredentials GSSAPIKeyExchange GSSAPIClientIdentity GSSAPIServerIdentity
        GSSAPITrustDns GSSAPIRenewalForcesRekey GSSAPIKexAlgorithms
        HostbasedAuthentication HostbasedAcceptedAlgorithms EnableSSHKeysign KbdInteractiveDevices
    }
    NoMeaning: "of old releases; OpenSSH itself passes over it" {
        Protocol Cipher CompressionLevel FallBackToRsh GlobalKnownHostsFile2 UserKnownHostsFile2 UseRoaming UseRsh UsePrivilegedPort
        RSAAuthentication RhostsAuthentication RhostsRSAAuthentication AFSTokenPassing KerberosAuthentication KerberosTGTPassing
    }
    NoMeaning: "security keys are used through the agent" { SecurityKeyProvider }
    NoMeaning: "leaving it out is only stricter: a key that only the DNS vouches for is unknown, and the failure names `--carrier ssh`" { VerifyHostKeyDNS }
    NoMeaning: "passphrases are asked for on the terminal, or the keys are in the agent (macOS)" { UseKeychain }
    Refused: "the command passes an open connection, which only the system's ssh takes over" { ProxyUseFdpass }
    Refused: "known keys come from a command" { KnownHostsCommand }
    Refused: "the keys are on a token" { PKCS11Provider SmartcardDevice }
    Refused: "the configuration forbids to connect" { RefuseConnection }
}

/// The table as `docs/SSH.md` shows it.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from("| keywords | here | how, or why not |\n| --- | --- | --- |\n");
    for rows in KEYWORDS.chunk_by(|a, b| a.note == b.note) {
        let names: Vec<&str> = rows.iter().map(|row| row.name).collect();
        let Some(Keyword { meaning, note, .. }) = rows.first() else { continue };
        let here = match meaning {
            Meaning::Honoured => "honoured",
            Meaning::NoMeaning => "has no meaning here",
            Meaning::Refused => "refused: use the system `ssh`",
        };
        text.push_str(&format!("| {} | {here} | {note} |\n", names.join(", ")));
    }
    text
}

/// The row of a keyword, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Keyword> {
    KEYWORDS.iter().find(|keyword| keyword.name.eq_ignore_ascii_case(name))
}

/// Refuses a target that asks for what only the system's `ssh` can do, or for a keyword of a release newer than the table.
///
/// # Errors
/// [`Code::KeywordUnsupported`], naming the keyword and the way out.
pub fn refuse(target: &Target) -> Result<(), Failure> {
    let mut names: Vec<&str> = target.keywords().filter(|name| !target.is_default(name)).collect();
    names.sort_unstable();
    for name in names {
        let value = target.first(name).unwrap_or_default();
        let off = matches!(value, "none" | "no" | "false" | "");
        match find(name) {
            Some(Keyword { meaning: Meaning::Refused, name, note }) if !off => return Err(refused(target, (name, value), note)),
            Some(_) => {}
            None => return Err(refused(target, (name, value), "this release of Outpost does not know the keyword")),
        }
    }
    Ok(())
}

/// The most of a value that is shown, in characters.
const SHOWN: usize = 60;

fn refused(target: &Target, (name, value): (&str, &str), note: &str) -> Failure {
    let alias = &target.alias;
    let mut rest = value.chars();
    let mut value: String = rest.by_ref().take(SHOWN).collect();
    if rest.next().is_some() {
        value.push('…');
    }
    let hint = if name == "RefuseConnection" {
        "the configuration forbids it; `ssh` would refuse too".to_owned()
    } else {
        format!("use the system's ssh for this host: --carrier ssh, or for good: outpost hosts set {alias} carrier=ssh")
    };
    Failure::new(Code::KeywordUnsupported, format!("the ssh configuration says `{name} {value}`")).said(note).hint(hint).at(alias)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEFAULTS: &str = "port 22\nproxyusefdpass no\n";

    fn refusal(line: &str) -> Option<Failure> {
        let printed = format!("{DEFAULTS}{line}\n");
        refuse(&Target::from_ssh_g("dev".parse().expect("an alias"), &printed, DEFAULTS)).err()
    }

    #[test]
    fn only_what_differs_is_refused() {
        for (line, refused) in [
            ("port 2222", false),
            ("gssapiauthentication yes", false),
            ("pkcs11provider none", false),
            ("pkcs11provider /usr/lib/x.so", true),
            ("knownhostscommand /bin/x %H", true),
            ("somethingnew yes", true),
            ("pubkeyacceptedkeytypes ssh-ed25519", false),
            ("challengeresponseauthentication no", false),
            ("useprivilegedport yes", false),
        ] {
            assert_eq!(refusal(line).is_some(), refused, "{line}");
        }
        let failure = refusal("pkcs11provider /usr/lib/x.so").expect("refused");
        assert_eq!(
            failure.to_string(),
            "dev: the ssh configuration says `PKCS11Provider /usr/lib/x.so`: the keys are on a token"
        );
        assert!(failure.hint.ends_with("outpost hosts set dev carrier=ssh"));
    }

    #[test]
    fn what_is_refused_is_named_with_the_way_out() {
        let long = format!("somethingnew {}", "x".repeat(200));
        let lines = ["knownhostscommand /bin/x %H", &long, "refuseconnection not today"];
        let told: String = lines
            .iter()
            .filter_map(|line| refusal(line))
            .map(|failure| format!("[{}] {failure}\n  {}\n", failure.code.as_str(), failure.hint))
            .collect();
        insta::assert_snapshot!(told, @r"
        [keyword-unsupported] dev: the ssh configuration says `KnownHostsCommand /bin/x %H`: known keys come from a command
          use the system's ssh for this host: --carrier ssh, or for good: outpost hosts set dev carrier=ssh
        [keyword-unsupported] dev: the ssh configuration says `somethingnew xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`: this release of Outpost does not know the keyword
          use the system's ssh for this host: --carrier ssh, or for good: outpost hosts set dev carrier=ssh
        [keyword-unsupported] dev: the ssh configuration says `RefuseConnection not today`: the configuration forbids to connect
          the configuration forbids it; `ssh` would refuse too
        ");
    }

    #[test]
    fn each_keyword_stands_once() {
        let mut names: Vec<String> = KEYWORDS.iter().map(|keyword| keyword.name.to_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
