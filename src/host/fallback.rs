//! What a host means where no `ssh` is installed: ssh2-config answers, but only what is known to be OpenSSH's answer.
//!
//! ssh2-config alone lets a `Match` body leak into the block before it, takes the last of two values in a block, knows no `%`
//! tokens and cuts words in its own way. So `plain` reads the files as OpenSSH does, refuses by name whatever cannot be
//! evaluated here, and hands on a plain text of the lines that count; ssh2-config merges those. A test holds the answers
//! against `ssh -G` over many configurations.

mod plain;
pub mod rules;

use ssh2_config::{HostParams, ParseRule, SshConfig};

use self::rules::Kind;
use super::resolve::Hop;
use super::target::Target;
use crate::failure::{Code, Failure};
use crate::paths::Local;

/// What `ssh -F /dev/null -G` of OpenSSH 9.2 prints, less what depends on the machine.
const DEFAULTS: &str = include_str!("fallback/defaults.txt");

/// What to do where the answer is not known.
const WAY_OUT: &str = "install OpenSSH's client, which answers for any configuration (Debian: apt install openssh-client)";

/// Resolves a name without `ssh`.
///
/// # Errors
/// [`Code::ResolveUnsupported`] with file and line of what cannot be evaluated.
pub fn resolve(local: &Local, hop: &Hop) -> Result<Target, Failure> {
    let name = hop.host.as_str();
    if !rules::is_host_name(name) {
        return Err(unsupported(format!("the host name '{name}'")).at(name));
    }
    let text = plain::text(local, name).map_err(|failure| failure.at(name))?;
    let config = SshConfig::default().home_dir(&local.home).parse(&mut text.as_bytes(), ParseRule::ALLOW_UNSUPPORTED_FIELDS);
    let params = config.map_err(|e| unsupported("the ssh configuration".to_owned()).said(e).at(name))?.query(name);
    let own = own_defaults(local, name);
    let answers = rules::TAKEN.iter().flat_map(|(keyword, kind)| answer(&params, keyword, (*kind, local)));
    let mut given: Vec<(String, String)> = overrides(hop).into_iter().chain(answers).collect();
    given.extend(derived(&given, local));
    if leads_back(&given, name) {
        return Err(unsupported("a ProxyJump that leads back to the host itself".to_owned()).at(name));
    }
    Ok(Target::from_ssh_g(hop.host.clone(), &printed(&given, &own), &own))
}

/// Something that cannot be evaluated without `ssh`.
fn unsupported(what: String) -> Failure {
    Failure::new(Code::ResolveUnsupported, what)
        .said("no `ssh` is on PATH, and without it this cannot be evaluated")
        .hint(WAY_OUT)
}

fn own_defaults(local: &Local, name: &str) -> String {
    let home = local.home.display();
    format!(
        "host {name}\nuser {}\nhostname {}\nuserknownhostsfile {home}/.ssh/known_hosts {home}/.ssh/known_hosts2\n{DEFAULTS}",
        local.user,
        name.to_lowercase()
    )
}

/// What a hop of ProxyJump brings along goes before what the files say.
fn overrides(hop: &Hop) -> Vec<(String, String)> {
    let port = hop.port.map(|port| port.to_string());
    [("user", hop.user.clone()), ("port", port), ("proxyjump", hop.through.clone())]
        .into_iter()
        .filter_map(|(keyword, value)| value.map(|value| (keyword.to_owned(), value)))
        .collect()
}

/// OpenSSH refuses some of these ("jumphost loop") and follows others.
fn leads_back(given: &[(String, String)], name: &str) -> bool {
    let value = |wanted: &str| given.iter().find(|(keyword, _)| keyword == wanted).map_or("", |(_, value)| value);
    let host_of = |hop: &str| {
        let host = hop.rsplit('@').next().unwrap_or_default();
        let host = host
            .strip_prefix('[')
            .and_then(|host| host.split(']').next())
            .unwrap_or_else(|| host.split(':').next().unwrap_or_default());
        host.to_lowercase()
    };
    value("proxyjump")
        .split(',')
        .filter(|hop| !hop.is_empty())
        .map(host_of)
        .any(|host| host == name.to_lowercase() || host == value("hostname"))
}

/// OpenSSH's default of UpdateHostKeys is to leave known-hosts files alone that are not its own; a default, so a value of the
/// person's goes before it.
fn derived(given: &[(String, String)], local: &Local) -> Option<(String, String)> {
    let own = local.home.join(".ssh/known_hosts").display().to_string();
    let other = given.iter().any(|(keyword, value)| keyword == "userknownhostsfile" && *value != own);
    let said = given.iter().any(|(keyword, _)| keyword == "updatehostkeys");
    (other && !said).then(|| ("updatehostkeys".to_owned(), "false".to_owned()))
}

/// The lines of `ssh -G`: the first word on a keyword, or the default.
fn printed(given: &[(String, String)], defaults: &str) -> String {
    let mut text = String::new();
    let mut told: Vec<&str> = Vec::new();
    for lines in given.chunk_by(|a, b| a.0 == b.0) {
        let Some((keyword, _)) = lines.first() else { continue };
        if told.contains(&keyword.as_str()) {
            continue;
        }
        told.push(keyword);
        for (keyword, value) in lines.iter().filter(|(keyword, value)| keyword != "proxyjump" || value != "none") {
            text.push_str(&format!("{keyword} {value}\n"));
        }
    }
    for line in defaults.lines().filter(|line| !told.contains(&line.split(' ').next().unwrap_or_default())) {
        text.push_str(line);
        text.push('\n');
    }
    text
}

/// What ssh2-config found for a keyword, written as `ssh -G` writes it.
fn answer(params: &HostParams, keyword: &str, (kind, local): (Kind, &Local)) -> Vec<(String, String)> {
    let mut values: Vec<String> =
        found(params, keyword).iter().map(|value| rules::as_printed(kind, value, &local.home)).collect();
    if kind == Kind::Paths {
        values = if values.is_empty() { values } else { vec![values.join(" ")] };
    }
    // OpenSSH passes over a file that is named again.
    let mut seen = std::collections::HashSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values.into_iter().map(|value| (keyword.to_owned(), value)).collect()
}

fn found(params: &HostParams, keyword: &str) -> Vec<String> {
    let flag = |value: Option<bool>| value.map(|on| if on { "yes" } else { "no" }.to_owned());
    let one = match keyword {
        "hostname" => params.host_name.clone(),
        "user" => params.user.clone(),
        "port" => params.port.map(|port| port.to_string()),
        "proxyjump" => params.proxy_jump.as_ref().map(|hops| hops.join(",")),
        "bindaddress" => params.bind_address.clone(),
        "bindinterface" => params.bind_interface.clone(),
        "connecttimeout" => params.connect_timeout.map(|time| time.as_secs().to_string()),
        "serveraliveinterval" => params.server_alive_interval.map(|time| time.as_secs().to_string()),
        "connectionattempts" => params.connection_attempts.map(|n| n.to_string()),
        "compression" => flag(params.compression),
        "tcpkeepalive" => flag(params.tcp_keep_alive),
        "addkeystoagent" => flag(params.add_keys_to_agent),
        "forwardagent" => flag(params.forward_agent),
        "pubkeyauthentication" => flag(params.pubkey_authentication),
        "certificatefile" => params.certificate_file.as_ref().map(|path| path.display().to_string()),
        "identityfile" => {
            let files = params.identity_file.iter().flatten();
            return files.map(|path| path.display().to_string()).collect();
        }
        _ => return params.unsupported_fields.get(keyword).cloned().unwrap_or_default(),
    };
    one.into_iter().collect()
}
