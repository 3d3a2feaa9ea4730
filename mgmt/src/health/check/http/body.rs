//! Whether a body is as it should be. Pure: pieces come in, and what has to be kept of them is bounded.

use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::config::health::{Body, Digest};

/// A pattern is looked for in so many bytes.
pub(super) const MAX_SEARCHED: usize = 256 * 1024;
/// A digest is made of so many bytes at most.
pub(super) const MAX_DIGESTED: u64 = 64 << 20;

/// Takes in a body.
#[derive(Debug)]
pub(super) struct Examiner<'c> {
    wanted: &'c Body,
    /// For patterns: the beginning of the body.
    kept: Vec<u8>,
    digest: Option<Hasher>,
    length: u64,
}

#[derive(Debug)]
enum Hasher {
    Sha256(Sha256),
    Md5(Md5),
}

impl<'c> Examiner<'c> {
    /// With nothing taken in.
    #[must_use]
    pub(super) fn new(wanted: &'c Body) -> Self {
        let digest = wanted.digest.map(|digest| match digest {
            Digest::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Digest::Md5(_) => Hasher::Md5(Md5::new()),
        });
        Self { wanted, kept: Vec::new(), digest, length: 0 }
    }

    /// Whether anything is asked of the body.
    #[must_use]
    pub(super) fn is_needed(&self) -> bool {
        self.needs_text() || self.digest.is_some()
    }

    fn needs_text(&self) -> bool {
        self.wanted.text.is_some() || self.wanted.regex.is_some()
    }

    /// A piece of the body.
    pub(super) fn push(&mut self, piece: &[u8]) {
        self.length += piece.len() as u64;
        if self.needs_text() {
            let room = MAX_SEARCHED.saturating_sub(self.kept.len());
            self.kept.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        match &mut self.digest {
            Some(Hasher::Sha256(hasher)) => hasher.update(piece),
            Some(Hasher::Md5(hasher)) => hasher.update(piece),
            None => {}
        }
    }

    /// Whether more of the body could change the finding.
    #[must_use]
    pub(super) fn has_enough(&self) -> bool {
        match self.digest {
            Some(_) => self.length > MAX_DIGESTED,
            None => self.kept.len() >= MAX_SEARCHED,
        }
    }

    /// What is wrong with the body, in words.
    pub(super) fn finish(self) -> Result<(), String> {
        let text = self.wanted.text.as_deref();
        if let Some(text) = text.filter(|text| !contains(&self.kept, text.as_bytes())) {
            return Err(format!("the body has no {text:?}{}", self.searched()));
        }
        let regex = self.wanted.regex.as_ref();
        if let Some(regex) = regex.filter(|regex| !regex.is_match(&self.kept)) {
            return Err(format!("the body does not match {:?}{}", regex.as_str(), self.searched()));
        }
        if self.digest.is_some() && self.length > MAX_DIGESTED {
            return Err(format!("the body is longer than {} MiB, too long for a digest", MAX_DIGESTED >> 20));
        }
        match (self.digest, self.wanted.digest) {
            (Some(Hasher::Sha256(hasher)), Some(Digest::Sha256(wanted))) => {
                same("sha256", &hasher.finalize(), &wanted)
            }
            (Some(Hasher::Md5(hasher)), Some(Digest::Md5(wanted))) => {
                same("md5", &hasher.finalize(), &wanted)
            }
            (Some(Hasher::Sha256(_) | Hasher::Md5(_)) | None, None | Some(_)) => Ok(()),
        }
    }

    fn searched(&self) -> String {
        match self.kept.len() >= MAX_SEARCHED {
            true => format!(" in its first {} KiB, the most that is searched", MAX_SEARCHED >> 10),
            false => String::new(),
        }
    }
}

fn same(kind: &str, found: &[u8], wanted: &[u8]) -> Result<(), String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    match found == wanted {
        true => Ok(()),
        false => Err(format!("the body's digest is {kind}:{}", hex(found))),
    }
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(wanted: &Body, pieces: &[&str]) -> Result<(), String> {
        let mut examiner = Examiner::new(wanted);
        pieces.iter().for_each(|piece| examiner.push(piece.as_bytes()));
        examiner.finish()
    }

    fn text(text: &str) -> Body {
        Body { text: Some(text.to_owned()), ..Body::default() }
    }

    #[test]
    fn a_text_is_found_across_pieces() {
        assert_eq!(examined(&text("all well"), &["we are all", " well here"]), Ok(()));
        let wrong = examined(&text("all well"), &["all", "well"]);
        assert_eq!(wrong, Err("the body has no \"all well\"".to_owned()));
    }

    #[test]
    fn a_pattern_matches_anywhere_and_bytes_need_not_be_text() {
        let regex = regex::bytes::Regex::new("(?i)replicas: [1-9]").unwrap();
        let wanted = Body { regex: Some(regex), ..Body::default() };
        assert_eq!(examined(&wanted, &["x\nReplicas: 3"]), Ok(()));
        let wrong = examined(&wanted, &["replicas: 0"]);
        assert_eq!(wrong, Err("the body does not match \"(?i)replicas: [1-9]\"".to_owned()));
    }

    #[test]
    fn digests_are_of_the_whole_body() {
        // Those of "hello", as sha256sum and md5sum give them.
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let md5 = "5d41402abc4b2a76b9719d911017c592";
        let bytes = |hex: &str, place: usize| u8::from_str_radix(&hex[2 * place..2 * place + 2], 16).unwrap();
        let sha256 = Digest::Sha256(std::array::from_fn(|place| bytes(sha256, place)));
        let md5 = Digest::Md5(std::array::from_fn(|place| bytes(md5, place)));
        for digest in [sha256, md5] {
            let wanted = Body { digest: Some(digest), ..Body::default() };
            assert_eq!(examined(&wanted, &["hel", "lo"]), Ok(()));
            assert!(examined(&wanted, &["hello", "!"]).unwrap_err().starts_with("the body's digest is "));
        }
    }

    #[test]
    fn of_an_endless_body_the_beginning_is_searched() {
        let wanted = text("needle");
        let mut examiner = Examiner::new(&wanted);
        while !examiner.has_enough() {
            examiner.push(&[b'x'; 5000]);
        }
        examiner.push(b"needle");
        assert!(examiner.kept.len() <= MAX_SEARCHED);
        assert_eq!(
            examiner.finish().unwrap_err(),
            "the body has no \"needle\" in its first 256 KiB, the most that is searched"
        );
    }
}
