//! Finding profiles and our blocks in the bytes of the file.
//!
//! The grammar is that of the AWS SDKs ("Shared config and credentials files" in their reference guide): a section
//! begins with `[` in the first column, a comment with `#` or `;`, an indented line continues the one before.

use std::ops::Range;

use super::process;
use crate::agent::protocol::AwsCredentialsRequest;

/// Begins a block; the rest of the line is for people.
pub const BEGIN: &str = "# >>> vouch:";
/// Ends a block.
pub const END: &str = "# <<< vouch";

/// The file, understood as far as we need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Document {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Every profile, in order.
    pub profiles: Vec<Profile>,
}

/// One profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// `default`, or what stands behind `profile`.
    pub name: String,
    /// What its `credential_process` asks of vouch, when it does.
    pub request: Option<AwsCredentialsRequest>,
    /// Its `credential_process` line, newline included.
    pub process: Option<Range<usize>>,
    /// Its `region` line, newline included.
    pub region: Option<Range<usize>>,
    /// The block that makes it ours.
    pub block: Option<Block>,
}

/// A block of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// From the first marker to the end of the second one's line.
    pub range: Range<usize>,
    /// A line behind the block that still belongs to its profile, by number.
    pub straggler: Option<usize>,
}

/// Our markers are not as we left them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Damage {
    /// A first marker without a second.
    #[error("line {0}: the block that begins here has no line `{END}`")]
    Open(usize),
    /// A second marker without a first.
    #[error("line {0}: this line ends a block that never began")]
    Closed(usize),
    /// Not exactly one profile between the markers.
    #[error("line {0}: the block that ends here has {1} profiles instead of one")]
    Profiles(usize, usize),
    /// The same profile twice.
    #[error("line {0}: profile {1} is there a second time")]
    Twice(usize, String),
}

/// A line that the AWS tools do not understand, and with it not the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// `[profile x` without its bracket.
    #[error("line {0}: this section has no closing bracket")]
    Section(usize),
    /// Neither `name = value` nor a comment.
    #[error("line {0}: this is neither a section nor `name = value`")]
    Option(usize),
    /// Before the first section.
    #[error("line {0}: this belongs to no section")]
    Homeless(usize),
}

/// A line with its place.
struct Line<'a> {
    number: usize,
    range: Range<usize>,
    text: &'a [u8],
}

/// What is known while reading.
#[derive(Default)]
struct Reader {
    profiles: Vec<Profile>,
    /// Whether the current section is the last profile.
    in_profile: bool,
    /// The open block: line number, first byte, profiles before it.
    open: Option<(usize, usize, usize)>,
    /// Whether the last profile's block has ended and its section has not.
    behind_block: bool,
}

impl Document {
    /// Understands the file.
    ///
    /// # Errors
    /// When our own markers are damaged; whatever else is in the file is not ours to judge.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, Damage> {
        let mut reader = Reader::default();
        for line in lines(&bytes) {
            reader.read(&line)?;
        }
        if let Some((number, ..)) = reader.open {
            return Err(Damage::Open(number));
        }
        let profiles = reader.profiles;
        Ok(Self { bytes, profiles })
    }

    /// The profile of that name.
    #[must_use]
    pub fn profile(&self, name: &str) -> Option<&Profile> {
        self.profiles.iter().find(|profile| profile.name == name)
    }

    /// The first line that the AWS tools stumble over. A profile in such a file is worth nothing.
    #[must_use]
    pub fn malformed(&self) -> Option<Malformed> {
        let mut in_section = false;
        lines(&self.bytes).find_map(|Line { number, text, .. }| {
            let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            let is_aside = text.trim_ascii().is_empty() || text.first().is_some_and(|byte| b"#; \t".contains(byte));
            if is_aside {
                None
            } else if text.starts_with(b"[") {
                in_section = true;
                section(text).is_none().then_some(Malformed::Section(number))
            } else if !text.iter().any(|byte| b"=:".contains(byte)) {
                Some(Malformed::Option(number))
            } else {
                (!in_section).then_some(Malformed::Homeless(number))
            }
        })
    }

    /// How the line at byte `start` ends; the file as a whole ends its lines like the one at 0.
    #[must_use]
    pub fn line_end(&self, start: usize) -> &'static str {
        let line = self.bytes.get(start..).and_then(|rest| rest.split_inclusive(|byte| *byte == b'\n').next());
        if line.is_some_and(|line| line.ends_with(b"\r\n")) { "\r\n" } else { "\n" }
    }
}

impl Reader {
    fn read(&mut self, line: &Line<'_>) -> Result<(), Damage> {
        if line.text.starts_with(BEGIN.as_bytes()) {
            return match self.open.replace((line.number, line.range.start, self.profiles.len())) {
                Some((number, ..)) => Err(Damage::Open(number)),
                None => Ok(()),
            };
        }
        if line.text.trim_ascii_end() == END.as_bytes() {
            return self.close(line);
        }
        if let Some(section) = section(line.text) {
            return self.begin_section(&section, line.number);
        }
        if !self.in_profile
            || line.text.trim_ascii().is_empty()
            || line.text.starts_with(b"#")
            || line.text.starts_with(b";")
        {
            return Ok(());
        }
        let Some(profile) = self.profiles.last_mut() else { return Ok(()) };
        if self.behind_block
            && let Some(block) = &mut profile.block
        {
            block.straggler.get_or_insert(line.number);
        }
        match option(line.text) {
            Some((name, value)) if name == "credential_process" => {
                profile.request = process::request(&value);
                profile.process = Some(line.range.clone());
            }
            Some((name, _)) if name == "region" => profile.region = Some(line.range.clone()),
            _ => {}
        }
        Ok(())
    }

    fn begin_section(&mut self, section: &Section, number: usize) -> Result<(), Damage> {
        self.behind_block = false;
        self.in_profile = matches!(section, Section::Profile(_));
        let Section::Profile(name) = section else { return Ok(()) };
        // Only where it matters: SDKs merge such sections, and so would an edit of ours.
        let twice = self
            .profiles
            .iter()
            .any(|profile| profile.name == *name && (profile.block.is_some() || self.open.is_some()));
        if twice {
            return Err(Damage::Twice(number, name.clone()));
        }
        self.profiles.push(Profile { name: name.clone(), request: None, process: None, region: None, block: None });
        Ok(())
    }

    fn close(&mut self, line: &Line<'_>) -> Result<(), Damage> {
        let (_, start, before) = self.open.take().ok_or(Damage::Closed(line.number))?;
        let inside = self.profiles.len() - before;
        match self.profiles.last_mut() {
            Some(profile) if inside == 1 && self.in_profile => {
                profile.block = Some(Block { range: start..line.range.end, straggler: None });
                self.behind_block = true;
                Ok(())
            }
            _ => Err(Damage::Profiles(line.number, inside)),
        }
    }
}

/// What a section is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Section {
    Profile(String),
    Other,
}

/// `[default]`, `[profile NAME]`, `[profile "NAME"]`, or any other section.
fn section(line: &[u8]) -> Option<Section> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let inner = line.strip_prefix(b"[")?;
    let end = inner.iter().rposition(|byte| *byte == b']')?;
    let inner = String::from_utf8_lossy(inner.get(..end)?).trim().to_owned();
    if inner == "default" {
        return Some(Section::Profile(inner));
    }
    let name = inner.strip_prefix("profile").filter(|rest| rest.starts_with(char::is_whitespace)).map(str::trim);
    Some(name.map_or(Section::Other, |name| {
        let bare = ['"', '\''].iter().find_map(|quote| name.strip_prefix(*quote)?.strip_suffix(*quote));
        Section::Profile(bare.unwrap_or(name).to_owned())
    }))
}

/// `name = value` from the first column on; names do not depend on case.
fn option(line: &[u8]) -> Option<(String, String)> {
    if line.first().is_none_or(u8::is_ascii_whitespace) {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
}

fn lines(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut start = 0;
    bytes.split_inclusive(|byte| *byte == b'\n').enumerate().map(move |(index, text)| {
        let range = start..start + text.len();
        start = range.end;
        Line { number: index + 1, range, text }
    })
}

/// Whether a credentials file holds static keys for `profile`: SDKs take those before any process.
#[must_use]
pub fn has_static_keys(credentials: &[u8], profile: &str) -> bool {
    let mut inside = false;
    for line in lines(credentials) {
        if let Some(inner) = line.text.strip_prefix(b"[") {
            let name =
                inner.iter().rposition(|byte| *byte == b']').and_then(|end| inner.get(..end)).unwrap_or_default();
            inside = name.trim_ascii() == profile.as_bytes();
        } else if inside && option(line.text).is_some_and(|(name, _)| name == "aws_access_key_id") {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Document {
        Document::parse(text.as_bytes().to_vec()).unwrap()
    }

    fn damage(text: &str) -> Damage {
        Document::parse(text.as_bytes().to_vec()).unwrap_err()
    }

    #[test]
    fn finds_profiles_however_they_are_written() {
        let text = "[default]\nregion=x\n[profile  a]\n[profile \"b c\"]\r\n[ profile d ] # note\n[sso-session e]\n  [profile f]\n";
        let names: Vec<_> = parse(text).profiles.into_iter().map(|profile| profile.name).collect();
        assert_eq!(names, ["default", "a", "b c", "d"]);
    }

    #[test]
    fn reads_what_a_profile_asks_of_vouch() {
        let role = "arn:aws:iam::111111111111:role/x";
        let text = format!(
            "[profile a]\nCredential_Process=vouch credential aws --role {role}\n[profile b]\ncredential_process = other\n"
        );
        let document = parse(&text);
        assert_eq!(document.profile("a").unwrap().request.as_ref().unwrap().role.to_string(), role);
        assert_eq!(document.profile("b").unwrap().request, None);
        assert!(document.profile("b").unwrap().process.is_some());
    }

    #[test]
    fn only_what_stands_between_our_markers_is_ours() {
        let text = format!("[profile a]\n{BEGIN} words\n[profile b]\nx = 1\n{END}\n[profile c]\n");
        let document = parse(&text);
        let owned: Vec<_> = document.profiles.iter().map(|profile| profile.block.is_some()).collect();
        assert_eq!(owned, [false, true, false]);
        let block = document.profile("b").unwrap().block.clone().unwrap();
        assert!(text.get(block.range).unwrap().ends_with(&format!("{END}\n")));
        assert_eq!(block.straggler, None);
    }

    #[test]
    fn a_line_behind_the_block_that_belongs_to_its_profile_is_noticed() {
        let text = format!("{BEGIN}\n[profile b]\n{END}\n# note\n\nregion = x\n[profile c]\noutput = json\n");
        assert_eq!(parse(&text).profile("b").unwrap().block.as_ref().unwrap().straggler, Some(6));
    }

    #[test]
    fn damaged_markers_are_named_by_line() {
        assert_eq!(damage(&format!("\n{BEGIN}\n[profile b]\n")), Damage::Open(2));
        assert_eq!(damage(&format!("{BEGIN}\n[profile b]\n{BEGIN}\n")), Damage::Open(1));
        assert_eq!(damage(&format!("[profile b]\n{END}\n")), Damage::Closed(2));
        assert_eq!(damage(&format!("{BEGIN}\n{END}\n")), Damage::Profiles(2, 0));
        assert_eq!(damage(&format!("{BEGIN}\n[profile a]\n[profile b]\n{END}\n")), Damage::Profiles(4, 2));
        let twice = format!("{BEGIN}\n[profile a]\n{END}\n[profile a]\n");
        assert_eq!(damage(&twice), Damage::Twice(4, "a".to_owned()));
    }

    #[test]
    fn static_keys_are_found_for_their_profile_only() {
        let text = b"[a]\naws_session_token = x\n[b]\nAWS_Access_Key_Id = AKIA\n";
        assert!(!has_static_keys(text, "a") && has_static_keys(text, "b") && !has_static_keys(text, "c"));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _understood = Document::parse(bytes.clone());
            let _found = has_static_keys(&bytes, "x");
        }
    }
}
