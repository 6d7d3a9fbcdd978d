//! Lists of algorithms as OpenSSH writes them, with the forms `+`, `-` and `^` that change a default.

use crate::host::target::Target;
use crate::ssh::host_key::pattern;

/// The list of a keyword: as `ssh -G` printed it, else evaluated by us.
#[must_use]
pub fn of(target: &Target, keyword: &str) -> Vec<String> {
    let default = default(keyword);
    let value = target.first(keyword).unwrap_or(default);
    assemble(value, default, &supported(keyword))
}

/// Whether HostKeyAlgorithms is OpenSSH's default, or that with names added behind or taken out: only then does OpenSSH order
/// it by the keys it knows. `ssh -G` prints the outcome and not the form, so a list that was written out in the order of
/// the default counts too; that costs nothing, for the same keys stay allowed.
#[must_use]
pub fn follows_default(target: &Target, keyword: &str) -> bool {
    let list = of(target, keyword);
    let default = names(default(keyword));
    let mut rest = default.iter();
    let in_order = list.iter().all(|name| rest.any(|d| d == name));
    target.is_default(keyword) || in_order || list.starts_with(&default)
}

/// Evaluates a value: `+` appends, `-` takes out by patterns, `^` puts in front; names that are not supported are left out
/// of `+` and `^`, as OpenSSH refuses them before.
#[must_use]
pub fn assemble(value: &str, default: &str, supported: &[&str]) -> Vec<String> {
    let default = names(default);
    match value.split_at_checked(1) {
        Some(("+", list)) => unique(default.into_iter().chain(matching(list, supported))),
        Some(("^", list)) => unique(matching(list, supported).into_iter().chain(default)),
        Some(("-", list)) => default.into_iter().filter(|name| !listed(name, list)).collect(),
        _ => unique(expanded(value, supported).into_iter()),
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

/// A name stays, a pattern becomes the supported names that it means.
fn expanded(list: &str, supported: &[&str]) -> Vec<String> {
    let of = |word: String| if word.contains(['*', '?']) { matching(&word, supported) } else { vec![word] };
    names(list).into_iter().flat_map(of).collect()
}

/// The supported names that a list means, in the order of the list.
fn matching(list: &str, supported: &[&str]) -> Vec<String> {
    let of = |word: String| -> Vec<String> {
        let meant = |name: &&&str| pattern::glob(name.as_bytes(), word.as_bytes());
        supported.iter().filter(meant).map(|n| (*n).to_owned()).collect()
    };
    names(list).into_iter().flat_map(of).collect()
}

fn listed(name: &str, list: &str) -> bool {
    names(list).iter().any(|p| pattern::glob(name.as_bytes(), p.as_bytes()))
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

/// OpenSSH's defaults, for where no `ssh` is installed to ask; those of OpenSSH 9.2.
fn default(keyword: &str) -> &'static str {
    match keyword {
        "hostkeyalgorithms" | "pubkeyacceptedalgorithms" => KEYS,
        "casignaturealgorithms" => SIGNATURES,
        "kexalgorithms" => {
            "sntrup761x25519-sha512,sntrup761x25519-sha512@openssh.com,curve25519-sha256,curve25519-sha256@libssh.org,\
             ecdh-sha2-nistp256,ecdh-sha2-nistp384,ecdh-sha2-nistp521,diffie-hellman-group-exchange-sha256,\
             diffie-hellman-group16-sha512,diffie-hellman-group18-sha512,diffie-hellman-group14-sha256"
        }
        "ciphers" => {
            "chacha20-poly1305@openssh.com,aes128-ctr,aes192-ctr,aes256-ctr,aes128-gcm@openssh.com,aes256-gcm@openssh.com"
        }
        "macs" => {
            "umac-64-etm@openssh.com,umac-128-etm@openssh.com,hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,\
             hmac-sha1-etm@openssh.com,umac-64@openssh.com,umac-128@openssh.com,hmac-sha2-256,hmac-sha2-512,hmac-sha1"
        }
        _ => "",
    }
}

const KEYS: &str = "ssh-ed25519-cert-v01@openssh.com,ecdsa-sha2-nistp256-cert-v01@openssh.com,\
    ecdsa-sha2-nistp384-cert-v01@openssh.com,ecdsa-sha2-nistp521-cert-v01@openssh.com,\
    sk-ssh-ed25519-cert-v01@openssh.com,sk-ecdsa-sha2-nistp256-cert-v01@openssh.com,\
    rsa-sha2-512-cert-v01@openssh.com,rsa-sha2-256-cert-v01@openssh.com,\
    ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,\
    sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";

const SIGNATURES: &str = "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,\
    sk-ssh-ed25519@openssh.com,sk-ecdsa-sha2-nistp256@openssh.com,rsa-sha2-512,rsa-sha2-256";

/// What `ssh -Q` lists beyond the defaults.
fn supported(keyword: &str) -> Vec<&'static str> {
    let more: &[&str] = match keyword {
        "hostkeyalgorithms" | "pubkeyacceptedalgorithms" => &MORE_KEYS,
        "casignaturealgorithms" => &["ssh-rsa", "ssh-dss", "webauthn-sk-ecdsa-sha2-nistp256@openssh.com"],
        "kexalgorithms" => &MORE_KEX,
        "ciphers" => &["3des-cbc", "aes128-cbc", "aes192-cbc", "aes256-cbc"],
        "macs" => &MORE_MACS,
        _ => &[],
    };
    default(keyword).split(',').chain(more.iter().copied()).collect()
}

const MORE_KEYS: [&str; 6] = [
    "ssh-rsa",
    "ssh-dss",
    "ssh-rsa-cert-v01@openssh.com",
    "ssh-dss-cert-v01@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256@openssh.com",
    "webauthn-sk-ecdsa-sha2-nistp256-cert-v01@openssh.com",
];
const MORE_KEX: [&str; 5] = [
    "mlkem768x25519-sha256",
    "diffie-hellman-group1-sha1",
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group15-sha512",
];
const MORE_MACS: [&str; 6] = [
    "hmac-sha1-96",
    "hmac-md5",
    "hmac-md5-96",
    "hmac-sha1-96-etm@openssh.com",
    "hmac-md5-etm@openssh.com",
    "hmac-md5-96-etm@openssh.com",
];
