//! The table of internal snapshots.

use std::sync::LazyLock;

use abi::info::Snapshot;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::output::escape::for_terminal;
use crate::output::size;

/// The names of the columns.
pub static HEADING: LazyLock<String> =
    LazyLock::new(|| columns(["ID", "TAG", "VM_SIZE", "DATE", "VM_CLOCK", "ICOUNT"]));

/// A snapshot as a line of the table.
#[must_use]
pub fn row(snapshot: &Snapshot) -> String {
    columns([
        &for_terminal(snapshot.id.as_bytes()),
        &for_terminal(snapshot.name.as_bytes()),
        &size::human(snapshot.vm_state_size),
        &date(snapshot.date_seconds, &TimeZone::system()),
        &clock(snapshot.vm_clock),
        &instructions(snapshot.instruction_count),
    ])
}

/// The columns, two aligned to the left and four to the right. Widths are in
/// bytes, as in C.
fn columns(cells: [&str; 6]) -> String {
    const WIDTHS: [(usize, bool); 6] =
        [(7, true), (16, true), (8, false), (19, false), (15, false), (10, false)];
    let cells = cells.into_iter().zip(WIDTHS).map(|(cell, (width, left))| {
        let padding = " ".repeat(width.saturating_sub(cell.len()));
        if left { format!("{cell}{padding}") } else { format!("{padding}{cell}") }
    });
    cells.collect::<Vec<_>>().join(" ")
}

/// When a snapshot was taken, in the time of this place.
fn date(seconds: u32, zone: &TimeZone) -> String {
    let moment = Timestamp::from_second(seconds.into()).unwrap_or_default();
    moment.to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How long the machine had run. Hours and what is below are cut to 32 bits, as
/// in C.
fn clock(nanoseconds: u64) -> String {
    let seconds = nanoseconds / 1_000_000_000;
    let milliseconds = nanoseconds / 1_000_000 % 1000;
    format!("{:04}:{:02}:{:02}.{milliseconds:03}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn instructions(count: Option<u64>) -> String {
    match count {
        // qemu prints the number with a sign.
        Some(count) => count.cast_signed().to_string(),
        None => "--".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_heading_is_qemus() {
        assert_eq!(
            *HEADING,
            "ID      TAG               VM_SIZE                DATE        VM_CLOCK     ICOUNT"
        );
    }

    #[test]
    fn dates_are_in_the_time_of_the_place() {
        let zone = |name: &str| TimeZone::posix(name).unwrap();
        assert_eq!(date(0, &TimeZone::UTC), "1970-01-01 00:00:00");
        assert_eq!(date(1_700_000_000, &zone("CET-1")), "2023-11-14 23:13:20");
        assert_eq!(date(u32::MAX, &TimeZone::UTC), "2106-02-07 06:28:15");
    }

    #[test]
    fn clocks_and_counts_have_fixed_forms() {
        assert_eq!(clock(0), "0000:00:00.000");
        assert_eq!(clock(3_723_004_999_999), "0001:02:03.004");
        assert_eq!(instructions(None), "--");
        assert_eq!(instructions(Some(u64::MAX - 1)), "-2");
    }
}
