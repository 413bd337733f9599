use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use super::*;
use crate::vhdx::sample::{Change, LOG_OFFSET, Log, Vhdx};

/// What is said of a file with this header; how long it is then, if nothing.
fn replay(file: &[u8], change: impl Fn(&mut Header)) -> Result<u64, String> {
    let mut header = Vhdx::default().header();
    header.log_id = Log::default().id;
    change(&mut header);
    let replayed = replayed(Rc::new(file.to_vec()), &header);
    replayed.map(|file| file.storage().length()).map_err(|error| error.to_string())
}

/// A file whose log makes it longer.
fn file() -> Vec<u8> {
    let log = Log::new(vec![vec![Change::Zeros(8 << 20, 4096)]]);
    log.in_image(&Vhdx::default())
}

const SHORT: u64 = 4 << 20;
const LONG: u64 = (8 << 20) + 4096;

#[test]
fn the_log_is_where_the_header_says() {
    let invalid = || Err("Invalid argument".to_string());
    for (offset, expected) in [
        (LOG_OFFSET, Ok(LONG)),
        (0, invalid()),
        (4096, invalid()),
        (LOG_OFFSET - 1, invalid()),
        (LOG_OFFSET + 4096, invalid()),
        (2 << 20, Ok(SHORT)),
        (4 << 20, Err("the log at 4194304 (1048576 bytes) does not lie in the file".to_string())),
        (
            u64::MAX << 20,
            Err("the log at 18446744073708503040 (1048576 bytes) does not lie in \
                              the file"
                .to_string()),
        ),
    ] {
        let replayed = replay(&file(), |header| header.log_offset = offset.into());
        assert_eq!(replayed, expected, "{offset}");
    }
}

#[test]
fn a_log_has_whole_megabytes_up_to_a_limit() {
    let said = |length: u32| replay(&file(), |header| header.log_length = length.into());
    assert_eq!(said(0), Ok(SHORT));
    for length in [1, 4096, (1 << 20) - 1, (1 << 20) + 1, u32::MAX] {
        assert_eq!(said(length), Err("Invalid argument".into()), "{length}");
    }
    let outside = |length: u32| {
        Err(std::format!("the log at 1048576 ({length} bytes) does not lie in the file"))
    };
    for length in [4 << 20, MAX_LENGTH - (1 << 20), MAX_LENGTH] {
        assert_eq!(said(length), outside(length));
    }
    for length in [MAX_LENGTH + (1 << 20), u32::MAX - 0xf_ffff] {
        assert_eq!(said(length), Err("the log is longer than 67108864 bytes".into()));
    }
}

#[test]
fn without_an_id_there_is_no_log() {
    // Whatever it is like otherwise.
    for length in [0, 1, MAX_LENGTH + (1 << 20), u32::MAX] {
        let replayed = replay(&file(), |header| {
            header.log_id = Guid::ZERO;
            header.log_length = length.into();
        });
        assert_eq!(replayed, Ok(SHORT), "{length}");
    }
    // But its place and its version are looked at.
    for change in [
        |header: &mut Header| header.log_offset = 0.into(),
        |header: &mut Header| header.log_version = 1.into(),
    ] {
        let replayed = replay(&file(), |header| {
            header.log_id = Guid::ZERO;
            change(header);
        });
        assert_eq!(replayed, Err("Invalid argument".into()));
    }
}

#[test]
fn without_a_valid_entry_nothing_changes() {
    assert_eq!(replay(&Vhdx::default().bytes(), |_| {}), Ok(SHORT));
    assert_eq!(replay(&file(), |header| header.log_id = Guid::from_bytes([7; 16])), Ok(SHORT));
    let mut file = file();
    file[(1 << 20) + 100] ^= 1;
    assert_eq!(replay(&file, |_| {}), Ok(SHORT));
}

#[test]
fn each_sector_is_looked_at_once() {
    // Every sector claims to start an entry that has all the log.
    let vhdx = Vhdx { log_length: 16 << 20, ..Vhdx::default() };
    let log =
        Log::new(vec![(0..4000).map(|number| Change::Data(number << 12, vec![7; 4096])).collect()]);
    let mut file = log.in_image(&vhdx);
    let (start, sectors) = (1 << 20, 4096);
    let first = file[start..start + 4096].to_vec();
    for sector in 1..sectors {
        file[start + sector * 4096..start + (sector + 1) * 4096].copy_from_slice(&first);
    }
    // That would be 16 gigabytes if each were followed to its end.
    let replayed = replay(&file, |header| header.log_length = vhdx.log_length.into());
    assert_eq!(replayed, Ok(file.len() as u64));
}
