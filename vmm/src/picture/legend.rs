//! What stands beside the map: how much of the disk is stored in which way, and how to read
//! it.

use super::cells::{Cells, Mix};
use super::class::{Class, Kind};
use super::text::{address, grouped, per_cent, write};
use crate::output::size::human;

/// How wide it is, in pixels.
pub const WIDTH: u64 = 520;

/// Where its columns are: names begin, numbers end there.
const NAME: u64 = 24;
const SIZE: u64 = 330;
const SHARE: u64 = 394;
const BYTES: u64 = WIDTH;

/// How far its lines are apart.
const LINE: u64 = 19;

/// The colour of text.
pub const INK: &str = "#1d2433";

/// The colour of text that matters less.
pub const PALE_INK: &str = "#5d6677";

/// A legend that is being written, from the top down.
struct Legend<'a> {
    document: &'a mut String,
    left: u64,
    /// The base line of what comes next.
    y: u64,
    totals: &'a Mix,
}

/// Writes the legend of a map. Returns where it ends.
pub(super) fn write_legend(document: &mut String, cells: &Cells, left: u64, top: u64) -> u64 {
    let mut legend = Legend { document, left, y: top, totals: cells.totals() };
    legend.heading();
    Kind::ALL.into_iter().for_each(|kind| legend.kind(kind));
    legend.total();
    if cells.length() > 0 {
        legend.instructions(cells);
    }
    legend.y
}

impl Legend<'_> {
    /// What the columns are.
    fn heading(&mut self) {
        for (x, text) in [(SIZE, "size"), (SHARE, "share"), (BYTES, "bytes")] {
            self.number(x, text, PALE_INK);
        }
        self.y += LINE + 4;
    }

    /// A kind, and its depths if it has several.
    fn kind(&mut self, kind: Kind) {
        let totals = self.totals;
        let classes: Vec<_> = totals.present().filter(|(class, _)| class.kind() == kind).collect();
        match classes.as_slice() {
            [] => return,
            [(class, bytes)] => {
                self.open(*class, *bytes);
                self.swatch(*class);
                self.name(kind, class.depth());
                self.numbers(*bytes, INK);
                self.close();
                self.meaning(kind);
            }
            classes => {
                self.name(kind, None);
                self.numbers(classes.iter().map(|(_, bytes)| bytes).sum(), INK);
                self.meaning(kind);
                for (class, bytes) in classes {
                    self.y += LINE;
                    self.open(*class, *bytes);
                    self.swatch(*class);
                    self.text(NAME, class.depth().unwrap_or_default(), 12, INK);
                    self.numbers(*bytes, PALE_INK);
                    self.close();
                }
            }
        }
        self.y += LINE + 11;
    }

    /// All of it.
    fn total(&mut self) {
        let (left, right, y) = (self.left, self.left + WIDTH, self.y - 19);
        write(
            self.document,
            format_args!("<path d=\"M{left} {y}H{right}\" stroke=\"#c9ced8\"/>\n"),
        );
        self.text(NAME, "all", 13, INK);
        self.numbers(self.totals.total(), INK);
        self.y += LINE * 2;
    }

    /// How to read the map.
    fn instructions(&mut self, cells: &Cells) {
        let scale = format!(
            "A row is {}, from left to right; a cell is {}.",
            address(cells.row_size()),
            address(cells.cell_size())
        );
        for text in [
            scale.as_str(),
            "What is in an image further down the chain is paler.",
            "A cell that is stored in several ways is divided by their shares, and what is",
            "little is drawn one pixel high.",
            "Point at a cell to see which bytes it has, and how many are what.",
        ] {
            self.text(0, text, 11, PALE_INK);
            self.y += LINE - 3;
        }
    }

    /// A line of the legend is for programs, too.
    fn open(&mut self, class: Class, bytes: u64) {
        let kind = class.kind().name();
        let depth = class.least_depth().map(|depth| format!(" data-depth=\"{depth}\""));
        let depth = depth.unwrap_or_default();
        write(
            self.document,
            format_args!("<g data-kind=\"{kind}\"{depth} data-bytes=\"{bytes}\">"),
        );
    }

    fn close(&mut self) {
        self.document.push_str("</g>\n");
    }

    fn swatch(&mut self, class: Class) {
        let (x, y, colour) = (self.left, self.y - 11, class.colour());
        // What has a faint colour is seen by its edge.
        write(
            self.document,
            format_args!(
                "<rect x=\"{x}\" y=\"{y}\" width=\"16\" height=\"13\" rx=\"2\" fill=\"{colour}\" \
                 stroke=\"{INK}\" stroke-opacity=\".25\"/>"
            ),
        );
    }

    fn name(&mut self, kind: Kind, depth: Option<&str>) {
        let (x, y, name) = (self.left + NAME, self.y, kind.name());
        let depth = depth.map(|depth| {
            format!("<tspan font-weight=\"400\" font-size=\"12\" dx=\"6\">{depth}</tspan>")
        });
        let depth = depth.unwrap_or_default();
        write(
            self.document,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"13\" font-weight=\"600\" fill=\"{INK}\">\
                 {name}{depth}</text>"
            ),
        );
    }

    /// What a kind is, below its name.
    fn meaning(&mut self, kind: Kind) {
        self.y += LINE - 3;
        self.text(NAME, kind.meaning(), 11, PALE_INK);
        self.document.push('\n');
    }

    fn numbers(&mut self, bytes: u64, ink: &str) {
        let share = per_cent(bytes, self.totals.total());
        let share = share.replace('<', "&lt;").replace('>', "&gt;");
        self.number(SIZE, &human(bytes), ink);
        self.number(SHARE, &share, ink);
        self.number(BYTES, &grouped(bytes), PALE_INK);
    }

    fn number(&mut self, x: u64, text: &str, ink: &str) {
        let (x, y) = (self.left + x, self.y);
        write(
            self.document,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"12\" fill=\"{ink}\" text-anchor=\"end\">\
                 {text}</text>"
            ),
        );
    }

    fn text(&mut self, x: u64, text: &str, size: u64, ink: &str) {
        let (x, y) = (self.left + x, self.y);
        write(
            self.document,
            format_args!(
                "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{ink}\">{text}</text>"
            ),
        );
    }
}
