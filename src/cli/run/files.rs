//! The files of this machine that a run works with: read and checked before a host is touched.

use std::fs::OpenOptions;
use std::path::Path;

use serde_json::Value;

use super::options::ThreadOptions;
use crate::failure::{Code, Failure};

/// The largest picture, in bytes: models refuse larger ones.
const LARGEST: u64 = 50 * 1024 * 1024;

/// What was read of them.
#[derive(Debug, Default)]
pub struct Files {
    /// The pictures for the first prompt, in the order they were given.
    pub pictures: Vec<Picture>,
    /// The schema of the agent's last message.
    pub schema: Option<Value>,
}

/// A picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Picture {
    /// All of it.
    pub bytes: Vec<u8>,
    /// What the names of such files end with.
    pub extension: &'static str,
}

impl Files {
    /// Reads those that the options name, and looks whether the one for the last message can be written.
    ///
    /// # Errors
    /// [`Code::Usage`] with the name of the file.
    pub fn read(options: &ThreadOptions) -> Result<Self, Failure> {
        let pictures = options.image.iter().map(|file| picture(file)).collect::<Result<_, _>>()?;
        let schema = options.output_schema.as_deref().map(schema).transpose()?;
        options.output_last_message.as_deref().map_or(Ok(()), writable)?;
        Ok(Self { pictures, schema })
    }
}

fn picture(file: &Path) -> Result<Picture, Failure> {
    let usage = |said: String| Failure::new(Code::Usage, format!("read the picture {}", file.display())).said(said);
    let size = std::fs::metadata(file).map_err(|e| usage(e.to_string()))?.len();
    if size > LARGEST {
        return Err(usage(format!("it has {size} bytes; at most {LARGEST} are sent")));
    }
    let bytes = std::fs::read(file).map_err(|e| usage(e.to_string()))?;
    match kind(&bytes) {
        Some(extension) => Ok(Picture { bytes, extension }),
        None => Err(usage("it is no PNG, JPEG, GIF or WebP picture".to_owned())),
    }
}

/// The kind of a picture, by its first bytes.
fn kind(bytes: &[u8]) -> Option<&'static str> {
    let webp = bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP");
    let kinds = [
        (bytes.starts_with(b"\x89PNG\r\n\x1a\n"), "png"),
        (bytes.starts_with(b"\xff\xd8\xff"), "jpg"),
        (bytes.starts_with(b"GIF87a") || bytes.starts_with(b"GIF89a"), "gif"),
        (webp, "webp"),
    ];
    kinds.into_iter().find_map(|(is, extension)| is.then_some(extension))
}

fn schema(file: &Path) -> Result<Value, Failure> {
    let usage = |said: String| Failure::new(Code::Usage, format!("read the schema {}", file.display())).said(said);
    let text = crate::paths::read_text(file).map_err(|e| usage(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| usage(e.to_string()))
}

/// Whether a file can be written; it is left as it is. A pipe or a device is believed: opening one may wait for its reader.
fn writable(file: &Path) -> Result<(), Failure> {
    let kind = file.metadata();
    if kind.as_ref().is_ok_and(|kind| !kind.is_file() && !kind.is_dir()) {
        return Ok(());
    }
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(file);
    let opened = opened.map_err(|e| Failure::new(Code::Usage, format!("write {}", file.display())).said(e))?;
    drop(opened);
    if kind.is_err() {
        drop(std::fs::remove_file(file));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_first_bytes() {
        for (bytes, extension) in [
            (&b"\x89PNG\r\n\x1a\nrest"[..], Some("png")),
            (b"\xff\xd8\xff\xe0", Some("jpg")),
            (b"GIF89a", Some("gif")),
            (b"RIFF\x01\x02\x03\x04WEBPVP8 ", Some("webp")),
            (b"RIFF\x01\x02\x03\x04WAVE", None),
            (b"<svg>", None),
            (b"", None),
        ] {
            assert_eq!(kind(bytes), extension, "{bytes:?}");
        }
    }

    #[test]
    fn a_file_for_the_last_message_stays_as_it_is() {
        let dir = tempfile::tempdir().expect("dir");
        let old = dir.path().join("old");
        std::fs::write(&old, "kept").expect("written");
        writable(&old).expect("it can be written");
        assert_eq!(std::fs::read_to_string(&old).expect("there"), "kept");
        let new = dir.path().join("new");
        writable(&new).expect("it can be made");
        assert!(!new.exists());
        for bad in [dir.path().to_owned(), dir.path().join("none/x")] {
            assert_eq!(writable(&bad).expect_err("it cannot").code, Code::Usage);
        }
        writable(Path::new("/dev/null")).expect("a device");
    }
}
