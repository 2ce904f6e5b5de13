//! What a page in Markdown has in it, as far as these pages go.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page, read once.
pub(super) struct Page {
    pub(super) path: PathBuf,
    /// By their anchors, as GitHub makes them.
    pub(super) anchors: Vec<String>,
    /// Of links, with what they lead to behind `#`.
    pub(super) links: Vec<String>,
    /// What stands between backticks in running text.
    pub(super) code: Vec<String>,
    pub(super) blocks: Vec<Block>,
}

/// A fenced block.
pub(super) struct Block {
    /// What it is written in.
    pub(super) language: String,
    pub(super) text: String,
}

impl Page {
    pub(super) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut page = Self {
            path: path.to_owned(),
            anchors: Vec::new(),
            links: Vec::new(),
            code: Vec::new(),
            blocks: Vec::new(),
        };
        let mut prose = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let trimmed = line.trim_start();
            if let Some(language) = trimmed.strip_prefix("```") {
                let indent = line.len() - trimmed.len();
                let inside = lines.by_ref().take_while(|line| line.trim() != "```");
                let text = inside.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect();
                page.blocks.push(Block { language: language.to_owned(), text });
            } else {
                if line.starts_with('#') {
                    page.anchors.push(anchor(line.trim_start_matches('#').trim()));
                }
                prose.push_str(line);
                prose.push('\n');
            }
        }
        page.code = prose.split('`').skip(1).step_by(2).map(|code| code.replace("\\|", "|")).collect();
        let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
        page.links = targets.map(|(target, _)| target.to_owned()).collect();
        page
    }

    /// The text of its blocks in a language, one after another.
    pub(super) fn written_in(&self, language: &str) -> impl Iterator<Item = &str> {
        self.blocks.iter().filter(move |block| block.language == language).map(|block| block.text.as_str())
    }
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}
