//! russh's callbacks: judge the host key, keep what the server says, refuse what nobody asked for.
//!
//! A callback runs in the task that reads the socket: none of them waits.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use russh::client::{ChannelOpenHandle, DisconnectReason, Msg, Session};
use russh::keys::{PublicKey, PublicKeyOrCertificate};
use russh::{Channel, ChannelId, ChannelOpenFailure, Names};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::door::Doors;
use super::host_key::Presented;
use super::trust::{Judge, Judged};

/// The most of a banner that is kept, in bytes.
const BANNER: usize = 16 * 1024;

/// What the callbacks saw.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// What became of the host key, in the one key exchange that judges it.
    pub(crate) judged: Option<Judged>,
    /// The key or certificate itself.
    pub(crate) shown: Option<Arc<PublicKeyOrCertificate>>,
    /// The host key's type and fingerprint.
    pub(crate) fingerprint: String,
    /// The algorithms of the first key exchange: key exchange, cipher.
    pub(crate) kex: String,
    pub(crate) cipher: String,
    /// The server's version line.
    pub(crate) server: String,
    /// The text shown before the login, raw.
    pub(crate) banner: String,
    /// How much of it a person has been shown, in bytes.
    banner_read: usize,
    /// The words of the last refusal to open a channel.
    pub(crate) channel_refusal: String,
    /// The host keys that the server announced after the login.
    pub(crate) announced: Vec<PublicKey>,
    /// The server's parting words, or the error that ended the link.
    pub(crate) parting: String,
    /// Whether the parting words came from the server.
    pub(crate) said_goodbye: bool,
}

impl Notes {
    /// What the banner says that nobody has read yet.
    pub(crate) fn unread_banner(&mut self) -> String {
        let unread = self.banner.get(self.banner_read..).unwrap_or_default().trim_end().to_owned();
        self.banner_read = self.banner.len();
        unread
    }
}

/// What the callbacks saw, and whether the link still stands; shared with the connection.
#[derive(Debug)]
pub(crate) struct Seen {
    notes: Mutex<Notes>,
    ended: watch::Sender<bool>,
    announced: watch::Sender<bool>,
    /// How many times something came from the server, whatever it was.
    arrivals: AtomicU64,
    arrived: Notify,
}

impl Default for Seen {
    fn default() -> Self {
        let (ended, announced) = (watch::Sender::new(false), watch::Sender::new(false));
        Self { notes: Mutex::default(), ended, announced, arrivals: AtomicU64::new(0), arrived: Notify::new() }
    }
}

impl Seen {
    pub(crate) fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key that the server showed, and what became of it.
    pub(crate) fn key(&self) -> (Option<Judged>, Option<Arc<PublicKeyOrCertificate>>) {
        let notes = self.notes();
        (notes.judged.clone(), notes.shown.clone())
    }

    /// Something came from the server.
    pub(crate) fn arrives(&self) {
        self.arrivals.fetch_add(1, Ordering::Relaxed);
        self.arrived.notify_waiters();
    }

    /// How often something has come so far.
    pub(crate) fn arrivals(&self) -> u64 {
        self.arrivals.load(Ordering::Relaxed)
    }

    /// Waits until something has come more often than that.
    pub(crate) async fn more_than(&self, arrivals: u64) {
        loop {
            let next = self.arrived.notified();
            if self.arrivals() > arrivals {
                return;
            }
            next.await;
        }
    }

    /// Waits for the end of the link.
    pub(crate) async fn ended(&self) {
        drop(self.ended.subscribe().wait_for(|e| *e).await);
    }

    /// Waits for the server's list of host keys; it may never come.
    pub(crate) async fn announced(&self) {
        drop(self.announced.subscribe().wait_for(|e| *e).await);
    }

    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }
}

/// The callbacks of one connection.
pub(crate) struct Handler {
    pub(crate) judge: Judge,
    pub(crate) seen: Arc<Seen>,
    pub(crate) doors: Arc<Doors>,
    /// Gives the byte stream up.
    pub(crate) cut: CancellationToken,
}

impl Drop for Handler {
    fn drop(&mut self) {
        self.seen.ended.send_replace(true);
    }
}

impl russh::client::Handler for Handler {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let judged = (self.judge)(shown);
        let trusted = matches!(judged, Judged::Known(_) | Judged::New);
        let mut notes = self.seen.notes();
        notes.fingerprint = Presented::new(shown).fingerprint();
        notes.judged = Some(judged);
        notes.shown = Some(Arc::new(copy(shown)));
        Ok(trusted)
    }

    async fn kex_done(&mut self, _: Option<&[u8]>, names: &Names, session: &mut Session) -> Result<(), russh::Error> {
        let mut notes = self.seen.notes();
        names.kex.as_ref().clone_into(&mut notes.kex);
        names.cipher.as_ref().clone_into(&mut notes.cipher);
        notes.server = String::from_utf8_lossy(session.remote_sshid()).into_owned();
        Ok(())
    }

    async fn auth_banner(&mut self, banner: &str, _: &mut Session) -> Result<(), russh::Error> {
        let mut notes = self.seen.notes();
        if notes.banner.len() + banner.len() <= BANNER {
            notes.banner.push_str(banner);
        }
        Ok(())
    }

    async fn disconnected(&mut self, reason: DisconnectReason<russh::Error>) -> Result<(), russh::Error> {
        let mut notes = self.seen.notes();
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                notes.parting = info.message;
                notes.said_goodbye = true;
                Ok(())
            }
            DisconnectReason::Error(e) => {
                if matches!(e, russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout) {
                    // Nobody is there to take what the socket still holds.
                    self.cut.cancel();
                }
                notes.parting = ended_by(&e);
                Err(e)
            }
        }
    }

    async fn openssh_ext_host_keys_announced(&mut self, keys: Vec<PublicKey>, _: &mut Session) -> Result<(), russh::Error> {
        self.seen.notes().announced = keys;
        self.seen.announced.send_replace(true);
        Ok(())
    }

    async fn channel_open_failure(
        &mut self,
        _: ChannelId,
        _: ChannelOpenFailure,
        description: &str,
        _: &str,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        description.clone_into(&mut self.seen.notes().channel_refusal);
        Ok(())
    }

    async fn server_channel_open_forwarded_tcpip(
        &mut self,
        channel: Channel<Msg>,
        _: &str,
        connected_port: u32,
        _: &str,
        _: u32,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.doors.tcp(connected_port, channel, reply).await;
        Ok(())
    }

    async fn server_channel_open_forwarded_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        socket_path: &str,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.doors.unix(socket_path, channel, reply).await;
        Ok(())
    }

    async fn server_channel_open_agent_forward(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        self.doors.agent(channel, reply).await;
        Ok(())
    }

    // A server has no business opening any of these; a reply that is dropped refuses (russh's own default accepts).

    async fn server_channel_open_session(
        &mut self,
        _: Channel<Msg>,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_tcpip(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_direct_streamlocal(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }

    async fn server_channel_open_x11(
        &mut self,
        _: Channel<Msg>,
        _: &str,
        _: u32,
        _: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        Ok(())
    }
}

/// How a link ended, for a person.
fn ended_by(error: &russh::Error) -> String {
    use std::io::ErrorKind;
    if matches!(error, russh::Error::KeepaliveTimeout | russh::Error::InactivityTimeout) {
        return "no sign of life came from the host".to_owned();
    }
    let kind = if let russh::Error::IO(e) = error { Some(e.kind()) } else { None };
    match kind {
        Some(ErrorKind::UnexpectedEof | ErrorKind::BrokenPipe) => "the other side closed the connection".to_owned(),
        Some(ErrorKind::ConnectionReset) => "the other side reset the connection".to_owned(),
        Some(_) | None => error.to_string(),
    }
}

fn copy(shown: &PublicKeyOrCertificate) -> PublicKeyOrCertificate {
    match shown {
        PublicKeyOrCertificate::PublicKey { key, hash_alg } => {
            PublicKeyOrCertificate::PublicKey { key: key.clone(), hash_alg: *hash_alg }
        }
        PublicKeyOrCertificate::Certificate(certificate) => PublicKeyOrCertificate::Certificate(certificate.clone()),
    }
}
