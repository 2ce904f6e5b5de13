//! Changing the file: a value in, a value out. Nothing here reads or writes.

use std::ops::Range;

use serde::Serialize;

use super::{
    document::{BEGIN, Block, Document, END, Profile},
    process,
};
use crate::{
    agent::protocol::AwsCredentialsRequest,
    error::{Category, Failure},
};

/// The profile that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Its name; absent: the one that has this role already, or the next free one.
    pub name: Option<String>,
    /// What it asks of vouch. Its region becomes the profile's region, too.
    pub request: AwsCredentialsRequest,
    /// How the program is called.
    pub program: String,
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edited {
    /// Its new bytes.
    pub bytes: Vec<u8>,
    /// The profiles concerned.
    pub profiles: Vec<String>,
    /// What happened to them.
    pub change: Change,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// There was no such profile.
    Added,
    /// It had another role, hub or region.
    Changed,
    /// It was so already.
    Unchanged,
    /// It is gone.
    Removed,
}

/// Adds the profile, or changes ours of that name. `is_taken` knows names that are in use elsewhere.
///
/// # Errors
/// [`Category::Configuration`] when the name belongs to somebody else.
pub fn add(document: &Document, wanted: &Wanted, is_taken: &dyn Fn(&str) -> bool) -> Result<Edited, Failure> {
    let same = |profile: &&Profile| profile.request.as_ref().is_some_and(|request| same_role(request, &wanted.request));
    let name = match &wanted.name {
        Some(name) => name.clone(),
        None => match document.profiles.iter().find(same) {
            Some(profile) => profile.name.clone(),
            None => free_name(document, is_taken),
        },
    };
    let Some(profile) = document.profile(&name) else {
        if is_taken(&name) {
            return Err(shadowed(&name));
        }
        return Ok(append(document, wanted, name));
    };
    let has_what_is_asked = profile.request.as_ref().is_some_and(|request| {
        same_role(request, &wanted.request)
            && (wanted.request.region.is_none() || request.region == wanted.request.region)
    });
    if has_what_is_asked {
        return Ok(Edited { bytes: document.bytes.clone(), profiles: vec![name], change: Change::Unchanged });
    }
    if profile.block.is_none() {
        return Err(foreign(&name));
    }
    Ok(change(document, profile, wanted))
}

/// Removes our blocks: of the profile named, of the role named, or all.
///
/// # Errors
/// [`Category::Configuration`] when what is named is not ours, or a line that is not ours depends on it.
pub fn remove(
    document: &Document,
    name: Option<&str>,
    request: Option<&AwsCredentialsRequest>,
) -> Result<Edited, Failure> {
    if let Some(profile) = name.and_then(|name| document.profile(name))
        && profile.block.is_none()
    {
        return Err(foreign(&profile.name));
    }
    let chosen = |profile: &&Profile| {
        name.is_none_or(|name| profile.name == name)
            && request.is_none_or(|wanted| profile.request.as_ref().is_some_and(|found| found.role == wanted.role))
    };
    let mut edited = Edited { bytes: document.bytes.clone(), profiles: Vec::new(), change: Change::Unchanged };
    // From the end, so that earlier places stay where they are.
    for profile in document.profiles.iter().rev().filter(chosen) {
        let Some(Block { range, straggler }) = &profile.block else { continue };
        if let Some(line) = straggler {
            let message = format!("line {line} belongs to profile {} but stands behind its block", profile.name);
            return Err(Failure::new(Category::Configuration, message)
                .hint(format!("Delete it, or move it above the line `{END}`, and try again")));
        }
        edited.bytes.drain(with_separator(&document.bytes, range));
        edited.profiles.insert(0, profile.name.clone());
        edited.change = Change::Removed;
    }
    if edited.profiles.is_empty() && (name.is_some() || request.is_some()) {
        return Err(Failure::new(Category::Configuration, "vouch has added no such profile")
            .hint("See which there are: vouch status"));
    }
    Ok(edited)
}

fn same_role(a: &AwsCredentialsRequest, b: &AwsCredentialsRequest) -> bool {
    a.role == b.role && a.via == b.via && a.duration == b.duration
}

/// `vouch`, `vouch-2`, `vouch-3`, …
fn free_name(document: &Document, is_taken: &dyn Fn(&str) -> bool) -> String {
    let is_free = |name: &String| document.profile(name).is_none() && !is_taken(name);
    let numbered = (2_u32..).map(|number| format!("vouch-{number}"));
    std::iter::once("vouch".to_owned()).chain(numbered).find(is_free).unwrap_or_default()
}

fn append(document: &Document, wanted: &Wanted, name: String) -> Edited {
    let end = document.line_end(0);
    let mut bytes = document.bytes.clone();
    if bytes.last().is_some_and(|byte| *byte != b'\n') {
        bytes.extend_from_slice(end.as_bytes());
    }
    if !bytes.is_empty() {
        bytes.extend_from_slice(end.as_bytes());
    }
    let header = if name == "default" { "[default]".to_owned() } else { format!("[profile {name}]") };
    let mut lines = vec![
        format!("{BEGIN} written by `vouch setup aws`, removed by `vouch setup aws --remove --profile {name}`"),
        header,
        process_line(wanted),
    ];
    lines.extend(region_line(wanted));
    lines.push(END.to_owned());
    for line in lines {
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(end.as_bytes());
    }
    Edited { bytes, profiles: vec![name], change: Change::Added }
}

/// Replaces our lines inside the block; whatever the person put beside them stays.
fn change(document: &Document, profile: &Profile, wanted: &Wanted) -> Edited {
    let block = profile.block.as_ref().map_or(0..document.bytes.len(), |block| block.range.clone());
    let (end, block_end) = (document.line_end(block.start), block.end);
    // In a block whose process line was deleted, the new one goes before the end marker.
    let last_line = document.bytes.get(..block_end.saturating_sub(1)).unwrap_or_default();
    let end_marker = last_line.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let process = profile.process.clone().unwrap_or(end_marker..end_marker);
    let region = profile.region.clone().unwrap_or(process.end..process.end);
    let mut changes = vec![(process, format!("{}{end}", process_line(wanted)))];
    if let Some(line) = region_line(wanted) {
        changes.push((region, format!("{line}{end}")));
    }
    // From the end; at one place, the one that was pushed first comes first.
    changes.sort_by_key(|(range, _)| std::cmp::Reverse((range.start, range.end)));
    let mut bytes = document.bytes.clone();
    for (range, line) in changes {
        bytes.splice(range, line.into_bytes());
    }
    Edited { bytes, profiles: vec![profile.name.clone()], change: Change::Changed }
}

fn process_line(wanted: &Wanted) -> String {
    format!("credential_process = {}", process::command(&wanted.program, &wanted.request))
}

fn region_line(wanted: &Wanted) -> Option<String> {
    wanted.request.region.as_ref().map(|region| format!("region = {region}"))
}

/// The block and the one empty line that was put before it.
fn with_separator(bytes: &[u8], block: &Range<usize>) -> Range<usize> {
    let before = bytes.get(..block.start).unwrap_or_default();
    let separator = if before.ends_with(b"\n\r\n") {
        2
    } else if before.ends_with(b"\n\n") {
        1
    } else {
        0
    };
    block.start - separator..block.end
}

fn foreign(name: &str) -> Failure {
    Failure::new(Category::Configuration, format!("profile {name} exists and was not added by vouch; it is left alone"))
        .hint("Choose another name with --profile, or remove that profile yourself")
}

fn shadowed(name: &str) -> Failure {
    let message = format!("the AWS credentials file has static keys for profile {name}, which would be used instead");
    Failure::new(Category::Configuration, message).hint("Choose another name with --profile, or remove those keys")
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
