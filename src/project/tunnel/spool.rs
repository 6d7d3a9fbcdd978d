//! What came for a reader that is slower than the link: a little in memory, the rest in files without a name.
//!
//! The built-in carrier cannot make one sender wait (docs/decisions/0007), so what its reader does not take yet is kept.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, Bytes, BytesMut};
use nix::sys::statvfs::fstatvfs;

use super::PIECE;
use crate::paths::Local;

/// How much of one connection waits in memory before a file is made: more than a reader that merely stutters leaves.
const IN_MEMORY: usize = 4 << 20;

/// The length of a file; one that was read is given back to the disk while the next ones still fill.
const FILE: u64 = 64 << 20;

/// How much all connections of a command may leave on the disk together; a connection that needs more is reset.
const ON_DISK: u64 = 4 << 30;

/// What is left free on the disk for everybody else.
const FREE: u64 = 1 << 30;

/// Where the files are made, and how much may still be in them.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    left: AtomicU64,
}

impl Disk {
    /// `$TMPDIR`, else `/var/tmp`: `/tmp` may be memory.
    pub(super) fn of(local: &Local) -> Arc<Self> {
        let dir = local.var("TMPDIR").map_or(Path::new("/var/tmp"), Path::new);
        Arc::new(Self { dir: dir.to_owned(), left: AtomicU64::new(ON_DISK) })
    }

    fn file(&self) -> io::Result<File> {
        let file = tempfile::tempfile_in(&self.dir)?;
        let free = fstatvfs(&file).map(|s| s.blocks_available() as u128 * s.fragment_size() as u128);
        if free.is_ok_and(|free| free < u128::from(FREE + FILE)) {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "the disk is nearly full"));
        }
        Ok(file)
    }

    fn reserve(&self, bytes: u64) -> io::Result<()> {
        let take = |left: u64| left.checked_sub(bytes);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        taken.map(drop).map_err(|_| io::Error::new(io::ErrorKind::StorageFull, "more than 4 GiB wait to be read"))
    }
}

/// What waits for one reader.
pub(super) struct Spool {
    disk: Arc<Disk>,
    /// What is read next.
    front: BytesMut,
    /// What comes behind it; while there is one, whatever comes goes to the last.
    files: VecDeque<Part>,
}

struct Part {
    file: Arc<File>,
    written: u64,
    read: u64,
}

impl Spool {
    pub(super) fn new(disk: Arc<Disk>) -> Self {
        Self { disk, front: BytesMut::new(), files: VecDeque::new() }
    }

    /// What the reader gets next: empty when nothing waits, after a [`Self::refill`].
    pub(super) fn front(&self) -> &[u8] {
        &self.front
    }

    /// So much of the front was taken.
    pub(super) fn took(&mut self, bytes: usize) {
        self.front.advance(bytes);
    }

    /// Keeps what came.
    pub(super) async fn push(&mut self, piece: Bytes) -> io::Result<()> {
        if self.files.is_empty() && self.front.len() + piece.len() <= IN_MEMORY {
            self.front.extend_from_slice(&piece);
            return Ok(());
        }
        let kept = self.write(piece).await;
        kept.map_err(|e| {
            let why = format!("files in {}: {e}", self.disk.dir.display());
            io::Error::new(
                e.kind(),
                format!("its reader fell behind and no more can be kept for it ({why}); with --carrier ssh its sender waits"),
            )
        })
    }

    async fn write(&mut self, piece: Bytes) -> io::Result<()> {
        let length = piece.len() as u64;
        if self.files.back().is_none_or(|part| part.written >= FILE) {
            let disk = Arc::clone(&self.disk);
            let file = Arc::new(blocking(move || disk.file()).await?);
            self.files.push_back(Part { file, written: 0, read: 0 });
        }
        let Some(part) = self.files.back_mut() else { return Ok(()) };
        self.disk.reserve(length)?;
        let (file, at) = (Arc::clone(&part.file), part.written);
        part.written += length;
        blocking(move || file.write_all_at(&piece, at)).await
    }

    /// Brings the front back from the disk when it is empty.
    pub(super) async fn refill(&mut self) -> io::Result<()> {
        let Some(part) = self.files.front_mut().filter(|_| self.front.is_empty()) else { return Ok(()) };
        let (file, at, length) = (Arc::clone(&part.file), part.read, (part.written - part.read).min(PIECE as u64));
        let mut piece = BytesMut::zeroed(usize::try_from(length).unwrap_or(PIECE));
        self.front = blocking(move || file.read_exact_at(&mut piece, at).map(|()| piece)).await?;
        part.read += length;
        self.disk.left.fetch_add(length, Ordering::Relaxed);
        if part.read == part.written {
            self.files.pop_front();
        }
        Ok(())
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        let unread = self.files.iter().map(|part| part.written - part.read).sum();
        self.disk.left.fetch_add(unread, Ordering::Relaxed);
    }
}

/// The disk may take its time: no task of the runtime waits for it.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spool whose files may hold so much.
    fn spool(dir: &Path, left: u64) -> Spool {
        Spool::new(Arc::new(Disk { dir: dir.to_owned(), left: AtomicU64::new(left) }))
    }

    fn piece(number: u64) -> Bytes {
        number.to_le_bytes().repeat(PIECE / 8).into()
    }

    /// The numbers of the next pieces.
    async fn take(spool: &mut Spool) -> Vec<u64> {
        spool.refill().await.expect("refill");
        let taken = spool.front().to_vec();
        spool.took(taken.len());
        let words = taken.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().expect("eight")));
        let mut numbers: Vec<u64> = words.collect();
        assert_eq!((taken.len() % PIECE, numbers.len()), (0, taken.len() / 8));
        numbers.dedup();
        numbers
    }

    #[tokio::test]
    async fn what_is_kept_comes_back_in_order_and_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut spool = spool(dir.path(), ON_DISK);
        let (pieces, mut seen) = ((IN_MEMORY as u64 + FILE + FILE / 2) / PIECE as u64, Vec::new());
        for number in 0..pieces {
            spool.push(piece(number)).await.expect("push");
            // Somebody who begins late and reads slower than it comes.
            if number > 100 && number % 4 == 3 {
                seen.extend(take(&mut spool).await);
            }
        }
        assert_eq!(std::fs::read_dir(dir.path()).expect("readable").count(), 0, "a file has a name");
        assert!(seen.len() < pieces as usize / 2, "nothing waits");
        while seen.len() < pieces as usize {
            seen.extend(take(&mut spool).await);
        }
        assert!(seen.into_iter().eq(0..pieces));
        assert!(take(&mut spool).await.is_empty());
        assert_eq!((spool.files.len(), spool.disk.left.load(Ordering::Relaxed)), (0, ON_DISK));
    }

    #[tokio::test]
    async fn what_all_may_leave_on_the_disk_has_an_end_and_is_given_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut first = spool(dir.path(), 3 * PIECE as u64);
        let full = IN_MEMORY / PIECE + 3;
        for number in 0..full {
            first.push(piece(number as u64)).await.expect("push");
        }
        let mut second = Spool::new(Arc::clone(&first.disk));
        second.push(vec![0; IN_MEMORY].into()).await.expect("in memory");
        let refused = second.push(piece(0)).await.expect_err("full").to_string();
        assert!(refused.contains("more than 4 GiB") && refused.contains("--carrier ssh"), "{refused}");
        drop(first);
        second.push(piece(0)).await.expect("there is room again");
    }

    #[tokio::test]
    async fn a_folder_that_is_not_there_is_said() {
        let mut spool = spool(Path::new("/nonexistent"), ON_DISK);
        spool.push(vec![0; IN_MEMORY].into()).await.expect("in memory");
        let refused = spool.push(piece(0)).await.expect_err("no folder").to_string();
        assert!(refused.contains("files in /nonexistent: No such file"), "{refused}");
    }
}
