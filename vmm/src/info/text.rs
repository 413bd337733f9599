//! The tree as text for people.

use super::details::content_in_words;
use super::node::Node;
use super::snapshots;
use crate::output::escape::for_terminal;
use crate::output::human::{entries, indent};
use crate::output::size;

/// A chain of images, separated by empty lines.
#[must_use]
pub fn chain(nodes: &[Node]) -> String {
    let texts: Vec<String> = nodes.iter().map(image).collect();
    texts.join("\n")
}

/// An image and the files it lies in.
#[must_use]
pub fn image(node: &Node) -> String {
    let mut text = String::new();
    write(&mut text, node, 0, "/");
    text
}

fn write(text: &mut String, node: &Node, depth: usize, path: &str) {
    head(text, node, depth);
    for (name, child) in &node.children {
        text.push_str(&format!("{}Child node '{path}{name}':\n", indent(depth)));
        write(text, child, depth + 1, &format!("{path}{name}/"));
    }
}

/// A node without its children.
fn head(text: &mut String, node: &Node, depth: usize) {
    let indent = indent(depth);
    let mut line = |words: &str| text.push_str(&format!("{indent}{words}\n"));
    // What has no children is a file, except at the top, where it is an image.
    let is_file = depth > 0 && node.children.is_empty();
    let [name, format, length] = if is_file {
        ["filename", "protocol type", "file length"]
    } else {
        ["image", "file format", "virtual size"]
    };
    line(&format!("{name}: {}", for_terminal(&node.filename)));
    line(&format!("{format}: {}", node.format));
    line(&format!("{length}: {} ({} bytes)", size::human(node.virtual_size), node.virtual_size));
    line(&format!("disk size: {}", size::human(node.actual_size)));
    if node.encrypted {
        line("encrypted: yes");
    }
    if let Some(cluster_size) = node.cluster_size {
        line(&format!("cluster_size: {cluster_size}"));
    }
    if node.dirty == Some(true) {
        line("cleanly shut down: no");
    }
    if let Some(backing) = &node.backing {
        let said = for_terminal(&backing.said);
        match &backing.full {
            None => line(&format!("backing file: {said} (cannot determine actual path)")),
            Some(full) if *full == backing.said => line(&format!("backing file: {said}")),
            Some(full) => {
                let full = for_terminal(full);
                line(&format!("backing file: {said} (actual path: {full})"));
            }
        }
        if let Some(format) = &backing.format {
            line(&format!("backing file format: {}", for_terminal(format)));
        }
    }
    for content in node.contents.iter().flatten() {
        line(&format!("content: {}", content_in_words(content)));
    }
    if !node.snapshots.is_empty() {
        line("Snapshot list:");
        line(&snapshots::HEADING);
        for snapshot in &node.snapshots {
            line(&snapshots::row(snapshot));
        }
    }
    if let Some((_, data)) = node.specific.as_ref().filter(|(_, data)| !data.is_empty()) {
        line("Format specific information:");
        text.push_str(&entries(data, depth + 1));
    }
}
