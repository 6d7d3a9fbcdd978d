//! Key revocation lists as `ssh-keygen -k` makes them (OpenSSH's PROTOCOL.krl).

use hmac::digest::Digest;
use russh::keys::Certificate;
use russh::keys::ssh_key::encoding::Encode;
use russh::keys::ssh_key::public::KeyData;
use sha1::Sha1;

use super::line;

/// A list of what is revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Krl {
    keys: Vec<Vec<u8>>,
    sha1: Vec<Vec<u8>>,
    sha256: Vec<Vec<u8>>,
    certificates: Vec<Certificates>,
}

/// What is revoked of the certificates of one authority.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Certificates {
    /// Nothing means every authority.
    authority: Option<KeyData>,
    ids: Vec<Vec<u8>>,
    /// First and last.
    serials: Vec<(u64, u64)>,
}

const MAGIC: &[u8] = b"SSHKRL\n\0";

/// The longest bitmap of serials: OpenSSH reads no number of more than 16384 bits.
const MAX_BITMAP_BYTES: usize = 16384 / 8 + 1;

impl Krl {
    /// Whether the content says that it is a KRL.
    #[must_use]
    pub fn is_one(content: &[u8]) -> bool {
        content.starts_with(MAGIC)
    }

    /// Reads one; anything that is not understood is an error, because it might revoke.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn parse(content: &[u8]) -> Result<Self, String> {
        let mut reader = Reader(content.strip_prefix(MAGIC).ok_or("it does not begin as one")?);
        let version = reader.u32()?;
        if version != 1 {
            return Err(format!("its format has version {version}"));
        }
        // Version, date and flags; then a reserved string and a comment.
        reader.take(24)?;
        reader.string()?;
        reader.string()?;
        let mut krl = Self::default();
        while !reader.0.is_empty() {
            krl.section(reader.byte()?, Reader(reader.string()?))?;
        }
        Ok(krl)
    }

    fn section(&mut self, kind: u8, mut body: Reader<'_>) -> Result<(), String> {
        match kind {
            1 => self.certificates.push(certificates(body)?),
            2 => body.strings(&mut self.keys, None)?,
            3 => body.strings(&mut self.sha1, Some(20))?,
            5 => body.strings(&mut self.sha256, Some(32))?,
            other => return Err(format!("it has a section of the unknown kind {other}")),
        }
        Ok(())
    }

    /// Whether it revokes the key, its certificate or the authority.
    #[must_use]
    pub fn revokes(&self, key: &KeyData, certificate: Option<&Certificate>) -> bool {
        let authority = certificate.map(Certificate::signature_key);
        // What cannot be encoded again cannot be compared: it counts as revoked.
        self.revokes_key(key).unwrap_or(true)
            || authority.is_some_and(|a| self.revokes_key(a).unwrap_or(true))
            || certificate.is_some_and(|c| self.certificates.iter().any(|section| section.revoke(c)))
    }

    fn revokes_key(&self, key: &KeyData) -> Option<bool> {
        let blob = blob(key)?;
        let sha1 = Sha1::digest(&blob);
        let sha256 = russh::keys::ssh_key::sha2::Sha256::digest(&blob);
        Some(
            self.keys.contains(&blob)
                || self.sha1.iter().any(|d| d.as_slice() == sha1.as_slice())
                || self.sha256.iter().any(|d| d.as_slice() == sha256.as_slice()),
        )
    }
}

fn blob(key: &KeyData) -> Option<Vec<u8>> {
    line::plain(key).encode_vec().ok()
}

impl Certificates {
    fn revoke(&self, certificate: &Certificate) -> bool {
        let serial = certificate.serial();
        let ours = self.authority.as_ref().is_none_or(|a| a == certificate.signature_key());
        let by_id = || self.ids.iter().any(|id| id == certificate.key_id().as_bytes());
        // Serial 0 means that the authority numbers nothing.
        let by_serial = || serial != 0 && self.serials.iter().any(|(first, last)| (*first..=*last).contains(&serial));
        ours && (by_id() || by_serial())
    }

    fn range(&mut self, first: u64, last: u64) -> Result<(), String> {
        if first == 0 || first > last {
            return Err(format!("the serials {first} to {last} are no range"));
        }
        self.serials.push((first, last));
        Ok(())
    }

    fn bitmap(&mut self, offset: u64, bits: &[u8]) -> Result<(), String> {
        if bits.len() > MAX_BITMAP_BYTES {
            return Err("a bitmap of serials is too long".to_owned());
        }
        for (index, byte) in bits.iter().rev().enumerate() {
            for bit in (0_u64..8).filter(|bit| byte >> bit & 1 == 1) {
                let serial = offset.checked_add(index as u64 * 8 + bit).ok_or("a bitmap of serials wraps")?;
                self.range(serial, serial)?;
            }
        }
        Ok(())
    }
}

fn certificates(mut body: Reader<'_>) -> Result<Certificates, String> {
    let authority = body.string()?;
    body.string()?;
    let mut section = Certificates::default();
    if !authority.is_empty() {
        section.authority = Some(line::from_blob(authority).ok_or("it names an authority that is no key")?);
    }
    while !body.0.is_empty() {
        let (kind, mut part) = (body.byte()?, Reader(body.string()?));
        match kind {
            0x20 => {
                while !part.0.is_empty() {
                    let serial = part.u64()?;
                    section.range(serial, serial)?;
                }
            }
            0x21 => section.range(part.u64()?, part.u64()?)?,
            0x22 => section.bitmap(part.u64()?, part.number()?)?,
            0x23 => part.strings(&mut section.ids, None)?,
            other => return Err(format!("it revokes certificates in the unknown way {other}")),
        }
        if !part.0.is_empty() {
            return Err("a section is longer than what it says".to_owned());
        }
    }
    Ok(section)
}

/// Reads SSH's data types off the front.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (head, tail) = self.0.split_at_checked(length).ok_or("it ends too early")?;
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "it ends too early".to_owned())
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_be_bytes)
    }

    fn string(&mut self) -> Result<&'a [u8], String> {
        let length = self.u32()? as usize;
        self.take(length)
    }

    /// A number without a sign.
    fn number(&mut self) -> Result<&'a [u8], String> {
        let bytes = self.string()?;
        if bytes.first().is_some_and(|b| b & 0x80 != 0) { Err("a bitmap is negative".to_owned()) } else { Ok(bytes) }
    }

    fn strings(&mut self, into: &mut Vec<Vec<u8>>, length: Option<usize>) -> Result<(), String> {
        while !self.0.is_empty() {
            let string = self.string()?;
            if length.is_some_and(|l| l != string.len()) {
                return Err("a digest has the wrong length".to_owned());
            }
            into.push(string.to_vec());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn krl(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(&[0; 24 + 8]);
        for (kind, body) in sections {
            bytes.push(*kind);
            bytes.extend_from_slice(&u32::try_from(body.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(body);
        }
        bytes
    }

    #[test]
    fn what_is_not_understood_refuses() {
        for (sections, good) in [
            (&[][..], true),
            (&[(2, &[0, 0, 0, 1, 7][..])], true),
            (&[(3, &[0, 0, 0, 1, 7])], false),
            (&[(4, &[])], false),
            (&[(255, &[])], false),
            (&[(1, &[0; 8])], true),
            (&[(1, &[0, 0, 0, 0, 0, 0, 0, 0, 0x39, 0, 0, 0, 0])], false),
            (&[(1, &[0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0])], false),
            (&[(1, &[0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9])], true),
            (&[(2, &[0, 0, 0, 2, 7])], false),
        ] {
            assert_eq!(Krl::parse(&krl(sections)).is_ok(), good, "{sections:?}");
        }
        let mut other = krl(&[]);
        other[11] = 2;
        assert!(Krl::parse(&other).unwrap_err().contains("version 2"));
    }

    #[test]
    fn bitmaps_count_from_their_end() {
        let mut section = Certificates::default();
        section.bitmap(10, &[0b1, 0b1000_0001]).unwrap();
        assert_eq!(section.serials, [(10, 10), (17, 17), (18, 18)]);
        assert!(section.bitmap(u64::MAX, &[0b10]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0_u8..6) {
            drop(Krl::parse(&bytes));
            drop(Krl::parse(&krl(&[(kind, &bytes)])));
            drop(Krl::parse(&krl(&[(1, &[&[0; 8][..], &bytes].concat())])));
        }
    }
}
