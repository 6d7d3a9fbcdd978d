//! A host of the demonstration: russh's server on loopback, in this process, for one key and a home of its own.

use std::collections::HashMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, PrivateKey, PublicKey, ssh_key::LineEnding};
use russh::server::{Auth, ChannelOpenHandle, Config, Handler, Msg, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, ChannelReadHalf, ChannelWriteHalf};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::process::{Child, Command};
use tokio::task::{JoinHandle, JoinSet};

use crate::failure::{Code, Failure};

/// A running host; it ends when it is dropped, what it started must be ended by its environment.
pub struct Host {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its host key, as a line of known_hosts has it.
    pub host_key: String,
    /// The private key that may log in, in OpenSSH's format.
    pub client_key: String,
    serving: JoinHandle<()>,
}

/// What a session of the host finds.
#[derive(Debug, Clone)]
pub struct Account {
    /// The home folder.
    pub home: PathBuf,
    /// The environment of its login shell, `/bin/sh`.
    pub vars: Vec<(OsString, OsString)>,
}

fn failed(said: impl std::fmt::Display) -> Failure {
    Failure::new(Code::LocalIo, "start an SSH server on 127.0.0.1").said(said)
}

impl Host {
    /// Starts the host with keys made on the spot.
    ///
    /// # Errors
    /// When loopback gives no port.
    pub async fn start(account: Account) -> Result<Self, Failure> {
        let key = || PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(failed);
        let (host_key, client_key) = (key()?, key()?);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared { account, client: client_key.public_key().clone() });
        let config = Config {
            keys: vec![host_key.clone()],
            nodelay: true,
            auth_rejection_time_initial: Some(Duration::ZERO),
            ..Config::default()
        };
        Ok(Self {
            address,
            host_key: host_key.public_key().to_openssh().map_err(failed)?,
            client_key: client_key.to_openssh(LineEnding::LF).map_err(failed)?.to_string(),
            serving: tokio::spawn(serve(listener, Arc::new(config), shared)),
        })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Shared {
    account: Account,
    client: PublicKey,
}

async fn serve(listener: TcpListener, config: Arc<Config>, shared: Arc<Shared>) {
    let mut sessions = JoinSet::new();
    while let Ok((socket, _)) = listener.accept().await {
        while sessions.try_join_next().is_some() {}
        sessions.spawn(session(socket, Arc::clone(&config), Arc::clone(&shared)));
    }
}

/// One connection; its end, whatever the reason, concerns nobody else.
async fn session(socket: TcpStream, config: Arc<Config>, shared: Arc<Shared>) {
    if socket.set_nodelay(true).is_ok()
        && let Ok(running) = russh::server::run_stream(config, socket, Login { shared, open: HashMap::new() }).await
    {
        drop(running.await);
    }
}

/// One login: its channels that wait for a request.
struct Login {
    shared: Arc<Shared>,
    open: HashMap<ChannelId, Channel<Msg>>,
}

impl Login {
    fn shell(&self, command: Option<&str>) -> std::io::Result<Child> {
        let mut shell = Command::new("/bin/sh");
        match command {
            Some(command) => shell.arg("-c").arg(command),
            None => shell.arg("-l"),
        };
        let account = &self.shared.account;
        shell.env_clear().envs(account.vars.iter().cloned()).current_dir(&account.home);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    fn begin(&mut self, id: ChannelId, command: Option<&str>, session: &mut Session) -> Result<(), russh::Error> {
        let Some(channel) = self.open.remove(&id) else {
            return session.channel_failure(id);
        };
        match self.shell(command) {
            Ok(child) => {
                // It ends with the channel or the child; the connection's end ends both.
                tokio::spawn(attend(child, channel));
                session.channel_success(id)
            }
            Err(_) => session.channel_failure(id),
        }
    }
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_publickey(&mut self, _: &str, key: VerifiedPublicKey<'_>) -> Result<Auth, russh::Error> {
        let same = key.public_key.key_data() == self.shared.client.key_data();
        Ok(if same { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.open.insert(channel.id(), channel);
        reply.accept().await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        if let Ok(mut socket) = UnixStream::connect(path).await {
            reply.accept().await;
            // It ends with either side.
            tokio::spawn(async move { drop(tokio::io::copy_bidirectional(&mut channel.into_stream(), &mut socket).await) });
        }
        Ok(())
    }

    async fn exec_request(&mut self, id: ChannelId, command: &[u8], session: &mut Session) -> Result<(), russh::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.begin(id, Some(&command), session)
    }

    async fn shell_request(&mut self, id: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        self.begin(id, None, session)
    }
}

/// Carries a child's three streams over a channel and tells how it ended.
async fn attend(mut child: Child, channel: Channel<Msg>) {
    let (mut from, to) = channel.split();
    if let Some(stdin) = child.stdin.take() {
        let feeding = feed(&mut from, stdin);
        tokio::pin!(feeding);
        let ended = answer(&mut child, &to);
        tokio::pin!(ended);
        let mut fed = false;
        loop {
            tokio::select! {
                () = &mut ended => break,
                () = &mut feeding, if !fed => fed = true,
            }
        }
    }
    // The client may have gone; then there is nobody to tell.
    drop(to.close().await);
}

async fn feed(from: &mut ChannelReadHalf, mut stdin: tokio::process::ChildStdin) {
    drop(tokio::io::copy(&mut from.make_reader(), &mut stdin).await);
    drop(stdin.shutdown().await);
}

async fn answer(child: &mut Child, to: &ChannelWriteHalf<Msg>) {
    let (Some(mut stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else { return };
    let (mut out, mut err) = (to.make_writer(), to.make_writer_ext(Some(1)));
    let copied = tokio::join!(tokio::io::copy(&mut stdout, &mut out), tokio::io::copy(&mut stderr, &mut err));
    drop(copied);
    let code = child.wait().await.ok().and_then(|status| status.code()).and_then(|code| u32::try_from(code).ok());
    drop(to.exit_status(code.unwrap_or(255)).await);
    drop(to.eof().await);
}
