//! The page: a title, the map with its addresses, the legend.
//!
//! It brings its own background, so that it is the same on a dark page as on a light one;
//! nothing in it comes from elsewhere, and nothing in it is a program. The same disk always
//! gives the same bytes.

use super::cells::{CELLS_IN_A_ROW, Cells};
use super::legend::{INK, PALE_INK, WIDTH as LEGEND_WIDTH, write_legend};
use super::runs::{self, CELL_HEIGHT, Run};
use super::text::{address, escape, grouped, per_cent, tail, write};
use crate::output::size::human;

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The name of the image, fit for a terminal.
    pub name: &'a str,
    /// Whether all of the disk was asked for.
    pub is_whole: bool,
}

/// The room around everything, in pixels.
const MARGIN: u64 = 28;

/// The room for addresses at the left.
const ADDRESSES: u64 = 84;

/// How wide a cell is.
const CELL_WIDTH: u64 = 6;

/// How far rows are apart.
const ROW: u64 = CELL_HEIGHT + 2;

/// Rows come in groups, of which the first has its address.
const ROWS_IN_A_GROUP: u64 = 4;

/// How much further groups are apart.
const GROUP_GAP: u64 = 4;

/// Up to here, every row has its address.
const FEW_ROWS: usize = 16;

/// Columns have their addresses this many cells apart.
const COLUMN: usize = 32;

const MAP_LEFT: u64 = MARGIN + ADDRESSES;
const MAP_TOP: u64 = 112;
const MAP_WIDTH: u64 = CELL_WIDTH * CELLS_IN_A_ROW as u64;
const LEGEND_LEFT: u64 = MAP_LEFT + MAP_WIDTH + 40;
const PAGE_WIDTH: u64 = LEGEND_LEFT + LEGEND_WIDTH + MARGIN;

/// How many letters of a name have room above the map.
const LONGEST_NAME: usize = 64;

/// Draws a disk, as an SVG document.
#[must_use]
pub fn draw(cells: &Cells, subject: Subject<'_>) -> String {
    let mut body = String::new();
    title(&mut body, cells, subject);
    columns(&mut body, cells);
    let mut bottom = MAP_TOP;
    for (index, row) in (0..).zip(cells.rows()) {
        let top = MAP_TOP + index * ROW + index / ROWS_IN_A_GROUP * GROUP_GAP;
        if index % ROWS_IN_A_GROUP == 0 || cells.rows().len() <= FEW_ROWS {
            row_address(&mut body, cells.start() + index * cells.row_size(), top);
        }
        for run in runs::of_row(row) {
            draw_run(&mut body, cells, &run, index, top);
        }
        bottom = top + CELL_HEIGHT;
    }
    if cells.length() == 0 {
        words(&mut body, MAP_LEFT, MAP_TOP, 13, PALE_INK, "There is nothing to draw.");
    }
    let legend_bottom = write_legend(&mut body, cells, LEGEND_LEFT, MAP_TOP - 8);
    let height = bottom.max(legend_bottom) + MARGIN;
    let (name, summary) = (escape(subject.name), escape(&summary(cells, subject)));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{PAGE_WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {PAGE_WIDTH} {height}\" role=\"img\" aria-labelledby=\"title summary\" \
         font-family=\"system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\">\n\
         <title id=\"title\">Map of {name}</title>\n\
         <desc id=\"summary\">{summary}</desc>\n\
         <rect width=\"{PAGE_WIDTH}\" height=\"{height}\" rx=\"8\" fill=\"#ffffff\"/>\n\
         {body}</svg>\n"
    )
}

/// The name and the size.
fn title(body: &mut String, cells: &Cells, subject: Subject<'_>) {
    let name = escape(&tail(subject.name, LONGEST_NAME));
    write(
        body,
        format_args!(
            "<text x=\"{MARGIN}\" y=\"46\" font-size=\"22\" font-weight=\"600\" fill=\"{INK}\">\
             {name}</text>\n"
        ),
    );
    words(body, MARGIN, 70, 13, PALE_INK, &extent(cells, subject));
    body.push('\n');
}

/// What is drawn, in numbers.
fn extent(cells: &Cells, subject: Subject<'_>) -> String {
    let (size, bytes) = (human(cells.length()), grouped(cells.length()));
    if subject.is_whole {
        return format!("virtual size {size} ({bytes} bytes)");
    }
    format!("{size} ({bytes} bytes) of the disk, from {} on", address(cells.start()))
}

/// All of it in words, for those who do not see it.
fn summary(cells: &Cells, subject: Subject<'_>) -> String {
    let mut text = format!("{}: {}.", subject.name, extent(cells, subject));
    for (class, bytes) in cells.totals().present() {
        let kind = class.kind().name();
        let depth = class.depth().map(|depth| format!(", {depth}")).unwrap_or_default();
        let share = per_cent(bytes, cells.length());
        write(&mut text, format_args!(" {kind}{depth}: {} ({share}).", human(bytes)));
    }
    text
}

/// Where columns are, counted from the start of a row.
fn columns(body: &mut String, cells: &Cells) {
    let used = cells.rows().next().map_or(0, <[_]>::len);
    for cell in (0..used).step_by(COLUMN).map(|cell| cell as u64) {
        let x = MAP_LEFT + cell * CELL_WIDTH;
        let (from, to, text_y) = (MAP_TOP - 9, MAP_TOP - 3, MAP_TOP - 14);
        write(body, format_args!("<path d=\"M{x} {from}V{to}\" stroke=\"#c9ced8\"/>"));
        let offset = format!("+{}", address(cell * cells.cell_size()));
        words(body, x, text_y, 11, PALE_INK, &offset);
    }
    body.push('\n');
}

/// Where a row begins.
fn row_address(body: &mut String, offset: u64, top: u64) {
    let (x, y, address) = (MAP_LEFT - 10, top + 10, address(offset));
    write(
        body,
        format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"11\" fill=\"{PALE_INK}\" \
             text-anchor=\"end\">{address}</text>\n"
        ),
    );
}

/// Cells that look alike, or one that is mixed, and what is in there.
fn draw_run(body: &mut String, cells: &Cells, run: &Run, row: u64, top: u64) {
    let first = run.first as u64;
    let start = cells.start() + row * cells.row_size() + first * cells.cell_size();
    let last = start + run.mix.total().saturating_sub(1);
    write(body, format_args!("<g><title>bytes {start} to {last}"));
    let layers = run.layers();
    let mut untold = run.mix.total();
    for (class, _) in &layers {
        let bytes = run.mix.of(*class);
        untold = untold.saturating_sub(bytes);
        let (kind, share) = (class.kind().name(), escape(&per_cent(bytes, run.mix.total())));
        let depth = class.depth().map(|depth| format!(", {depth}")).unwrap_or_default();
        write(body, format_args!("\n{kind}{depth}: {bytes} bytes, {share}"));
    }
    if untold > 0 {
        write(body, format_args!("\nand {untold} bytes in other ways"));
    }
    body.push_str("</title>");
    let (x, width) = (MAP_LEFT + first * CELL_WIDTH, run.count as u64 * CELL_WIDTH);
    let mut y = top + CELL_HEIGHT;
    for (class, height) in layers {
        y -= height;
        let colour = class.colour();
        write(
            body,
            format_args!("<path fill=\"{colour}\" d=\"M{x} {y}h{width}v{height}h-{width}z\"/>"),
        );
    }
    body.push_str("</g>\n");
}

/// A line of text that needs no escape.
fn words(body: &mut String, x: u64, y: u64, size: u64, ink: &str, text: &str) {
    write(
        body,
        format_args!("<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{ink}\">{text}</text>"),
    );
}

#[cfg(test)]
mod tests {
    use super::super::cells::MAX_CELLS;
    use super::super::cells::tests::{disk, extent};
    use super::super::runs::MAX_LAYERS;
    use super::*;

    fn whole(name: &str) -> Subject<'_> {
        Subject { name, is_whole: true }
    }

    /// The values of an attribute, in order.
    fn values<'a>(document: &'a str, attribute: &str) -> Vec<&'a str> {
        let start = format!(" {attribute}=\"");
        document.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
    }

    #[test]
    fn the_totals_are_those_of_the_disk() {
        for size in [512, 65_536, 1 << 30, 2 << 40] {
            let document = draw(&disk(0, size, size / 8), whole("a.img"));
            let totals = values(&document, "data-bytes");
            let sum: u64 = totals.iter().map(|bytes| bytes.parse::<u64>().unwrap()).sum();
            assert_eq!(sum, size);
            assert!(document.contains(&format!("({} bytes)", grouped(size))), "{size}");
        }
    }

    #[test]
    fn ranges_in_the_map_cover_it_without_a_gap() {
        let document = draw(&disk(1024, 100 << 20, 1 << 14), whole("a.img"));
        let mut next = 1024;
        for range in document.split("<g><title>bytes ").skip(1) {
            let (start, rest) = range.split_once(" to ").unwrap();
            let last: String = rest.chars().take_while(char::is_ascii_digit).collect();
            assert_eq!(start.parse::<u64>().unwrap(), next);
            next = last.parse::<u64>().unwrap() + 1;
        }
        assert_eq!(next, 1024 + (100 << 20));
    }

    /// How large a picture can be, in bytes: for every cell, a range and so many layers.
    const LARGEST: usize = MAX_CELLS * (100 + MAX_LAYERS * 130) + 50_000;

    #[test]
    fn however_many_pieces_a_disk_is_in_the_picture_is_bounded() {
        let mut cells = Cells::from(0);
        for piece in 0..400_000 {
            cells.add(&extent(piece << 12, 1 << 12, piece * 0x5851_f42d % 1009)).unwrap();
        }
        let document = draw(&cells, whole("a.img"));
        assert!(document.len() < LARGEST, "{} bytes", document.len());
        assert!(document.matches("<path fill").count() <= MAX_CELLS * MAX_LAYERS);
    }

    #[test]
    fn names_are_text_and_nothing_else() {
        let name = "</title><script>\"a'&\u{ffff}";
        let document = draw(&disk(0, 512, 512), whole(name));
        assert!(!document.contains("<script"));
        assert!(document.contains("&lt;/title&gt;&lt;script&gt;&quot;a&#39;&amp;\u{fffd}"));
    }

    #[test]
    fn nothing_is_a_picture_too() {
        for subject in [whole("empty.img"), Subject { name: "empty.img", is_whole: false }] {
            let document = draw(&Cells::from(0), subject);
            assert!(document.contains("There is nothing to draw."));
            assert!(!document.contains("<g"));
            assert!(document.ends_with("</svg>\n"));
        }
    }

    #[test]
    fn a_part_of_a_disk_says_which() {
        let subject = Subject { name: "a.img", is_whole: false };
        let document = draw(&disk(1 << 30, 65_536, 512), subject);
        assert!(document.contains("64 KiB (65\u{202f}536 bytes) of the disk, from 1 GiB on"));
        assert!(!document.contains("virtual size"));
    }
}
