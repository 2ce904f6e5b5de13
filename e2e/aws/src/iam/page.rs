//! Pagination: `MaxItems`, `Marker`, `IsTruncated`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire::shape::Shape;
use crate::wire::{Fault, Node, Params};

const DEFAULT_ITEMS: i32 = 100;

/// Where a page starts and how long it is.
#[derive(Debug)]
pub(super) struct Page {
    start: usize,
    length: usize,
}

impl Page {
    /// Reads the parameters; violations go to `shape`.
    ///
    /// # Errors
    /// `ValidationError` for a marker that no answer gave.
    pub(super) fn read(params: &Params, shape: &mut Shape) -> Result<Self, Fault> {
        let length = shape.integer("maxItems", params.get("MaxItems"), (1, 1000))?.unwrap_or(DEFAULT_ITEMS);
        let start = match params.get("Marker") {
            None => 0,
            Some(marker) => position(marker).ok_or_else(|| Fault::validation(format!("Invalid Marker: {marker}")))?,
        };
        Ok(Self { start, length: usize::try_from(length).unwrap_or(1) })
    }

    /// The members of an answer that lists `items` under `name`.
    pub(super) fn nodes<T>(&self, name: &'static str, items: &[T], node: impl Fn(&T) -> Vec<Node>) -> Vec<Node> {
        let shown = items.iter().skip(self.start).take(self.length).map(node);
        let mut nodes = vec![Node::list(name, shown)];
        nodes.extend(self.end(items.len()));
        nodes
    }

    /// The members of an answer that lists strings under `name`.
    pub(super) fn strings(&self, name: &'static str, items: &[String]) -> Vec<Node> {
        let mut nodes = vec![Node::strings(name, items.iter().skip(self.start).take(self.length))];
        nodes.extend(self.end(items.len()));
        nodes
    }

    fn end(&self, total: usize) -> Vec<Node> {
        let next = self.start + self.length;
        if next >= total {
            return vec![Node::text("IsTruncated", false)];
        }
        vec![Node::text("IsTruncated", true), Node::text("Marker", STANDARD.encode(next.to_string()))]
    }
}

fn position(marker: &str) -> Option<usize> {
    String::from_utf8(STANDARD.decode(marker).ok()?).ok()?.parse().ok()
}
