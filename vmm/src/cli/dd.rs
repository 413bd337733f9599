//! `exuvia dd`.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use abi::convert::{Range, Request, State};
use abi::info::Format;
use abi::reply::Reply;
use abi::request::Operation;

use super::Program;
use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain};
use super::target::{self, NewImage, Wanted};
use super::watch::{self, Names, NotDone};
use crate::creation::Settings;
use crate::creation::number::{self, LARGEST};
use crate::host_file::STANDARD_STREAM;
use crate::output::escape::for_terminal;
use crate::progress::{Progress, Style};
use crate::run::FIRST_FILE_SLOT;
use crate::target_file::Cache;

/// Copy a part of a disk image into a new one, in any format.
///
/// Offsets and lengths are those of the disk, whatever the format of the image is.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// Make an image of this format.
    #[arg(short = 'O', long, value_name = "FMT", default_value = "raw")]
    #[arg(allow_hyphen_values = true)]
    output_format: String,

    #[command(flatten)]
    machine: MachineArgs,

    /// What is copied: if=IMAGE of=NEW-IMAGE bs=SIZE count=BLOCKS skip=BLOCKS, and, not in
    /// qemu-img, seek=BLOCKS isize=SIZE osize=SIZE.
    #[arg(value_name = "OPERAND")]
    operands: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia dd if=disk.qcow2 of=boot.img bs=512 count=1
  exuvia dd -O qcow2 if=disk.img of=rest.qcow2 bs=1M skip=1
  exuvia dd if=part.img of=disk.img bs=1M seek=1 osize=20G

Operands:
  if=IMAGE      what is copied, standard input if missing or -
  of=NEW-IMAGE  where it goes, standard output if missing or -
  bs=SIZE       the size of a block, 512 if missing
  count=BLOCKS  end behind so many blocks of the image, those that are skipped included
  skip=BLOCKS   leave out so many blocks of the image
  seek=BLOCKS   leave out so many blocks of the new image, which are zeros
  isize=SIZE    take the image for no longer than this
  osize=SIZE    the size of the new disk

Exit code: 0 if the image was made, 1 if not.";

/// The largest block in bytes: what 31 bits hold.
const MAX_BLOCK: u64 = 0x7fff_ffff;

/// How many zeros in a row are not stored, in bytes.
const SPARSE: u32 = 4096;

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    match dd(program, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => program.fail(&message),
    }
}

/// What the operands say.
#[derive(Debug, Default, PartialEq, Eq)]
struct Operands {
    input: Option<OsString>,
    output: Option<OsString>,
    block: Option<u64>,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    input_size: Option<u64>,
    output_size: Option<u64>,
}

impl Operands {
    fn parse(operands: &[OsString]) -> Result<Self, String> {
        let mut parsed = Self::default();
        for operand in operands {
            parsed.add(operand)?;
        }
        Ok(parsed)
    }

    fn add(&mut self, operand: &OsStr) -> Result<(), String> {
        let bytes = operand.as_bytes();
        let equals = bytes.iter().position(|byte| *byte == b'=').unwrap_or(bytes.len());
        let (name, rest) = bytes.split_at(equals);
        let name = for_terminal(name);
        let unrecognized = || format!("unrecognized operand {name}");
        let value = rest.strip_prefix(b"=").ok_or_else(unrecognized)?;
        let text = String::from_utf8_lossy(value);
        let size = |least, most| number::bounded_size(&name, &text, least..=most);
        let count = || number::bounded_count(&name, &text, 0..=LARGEST);
        match name.as_str() {
            "if" => self.input = Some(OsString::from_vec(value.to_vec())),
            "of" => self.output = Some(OsString::from_vec(value.to_vec())),
            "bs" => self.block = Some(size(1, MAX_BLOCK)?),
            "count" => self.count = Some(count()?),
            "skip" => self.skip = count()?,
            "seek" => self.seek = count()?,
            "isize" => self.input_size = Some(size(0, LARGEST)?),
            "osize" => self.output_size = Some(size(0, LARGEST)?),
            _ => return Err(unrecognized()),
        }
        Ok(())
    }

    /// The part of the disk, and whether it starts behind its own end.
    fn range(&self) -> Result<(Range, bool), String> {
        let block = self.block.unwrap_or(512);
        let count = self.count.map_or(LARGEST, |count| count.saturating_mul(block));
        let end = count.min(self.input_size.unwrap_or(LARGEST));
        let start = self.skip.saturating_mul(block);
        let to = self.seek.saturating_mul(block);
        let longest = self.output_size.unwrap_or(LARGEST);
        if to > longest {
            return Err("cannot seek to specified offset".to_owned());
        }
        let length = end.saturating_sub(start);
        Ok((Range { start, length, to, size: self.output_size }, start > end))
    }
}

fn dd(program: &Program, arguments: &Args) -> Result<(), String> {
    let operands = Operands::parse(&arguments.operands)?;
    let standard = OsString::from(STANDARD_STREAM);
    let input = operands.input.as_ref().unwrap_or(&standard);
    let output = operands.output.as_ref().unwrap_or(&standard);
    if let Some(complaint) = arguments.image.complaint() {
        return Err(complaint);
    }
    let (named, file) = Named::open_input(&arguments.image, input)?;
    if Format::from_name(&arguments.output_format).is_none() {
        return Err("Unknown file format".to_owned());
    }
    let format = target::format(&arguments.output_format)?;
    let (range, is_behind) = operands.range()?;

    let mut files = vec![file];
    let cache = Cache { direct: false, through: false, durable: false };
    let settings = Settings::default();
    let wanted = Wanted { format, settings: &settings, compress: false, state: State::New };
    let slot = FIRST_FILE_SLOT + 1;
    let (new_image, new_files) = NewImage::open_beside(output, &wanted, cache, slot, &files)?;
    files.extend(new_files);
    let request = Request {
        sources: vec![named.source(FIRST_FILE_SLOT, None)],
        target: new_image.request(&wanted, None),
        range,
        only_top: false,
        sparse: SPARSE,
        progress: false,
        salvage: false,
        hash: false,
        max_depth: MAX_DEPTH,
    };
    let mut nothing_there = is_behind;
    let mut hear = |reply, _: &Names| nothing_there |= reply == Reply::NothingThere;
    let mut silent = Progress::begin(Style::Silent, 1.0);
    let machine = &arguments.machine;
    let operation = Operation::Convert(request);
    let done = watch::run(program, machine, operation, files, &mut silent, &mut hear);
    match done {
        Ok(outcome) => new_image.commit(&outcome)?,
        Err(NotDone::NoMachine(message)) => return Err(message),
        Err(NotDone::Failed(error)) => {
            return Err(match new_image.message(&error) {
                Some(message) => {
                    let said = &new_image.said;
                    format!("{said}: error while creating output image: {message}")
                }
                None => explain(&error, &[named], FIRST_FILE_SLOT),
            });
        }
    }
    if nothing_there {
        // The new image is empty, as with dd.
        program.say(&format!("{}: cannot skip to specified offset", named.said));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(operands: &[&str]) -> Result<(Range, bool), String> {
        let operands: Vec<OsString> = operands.iter().map(OsString::from).collect();
        Operands::parse(&operands)?.range()
    }

    #[test]
    fn operands_say_what_part_it_is() {
        let part = |start, length, to, size| Ok((Range { start, length, to, size }, false));
        for (operands, expected) in [
            (&[][..], part(0, LARGEST, 0, None)),
            (&["bs=1k", "count=3"], part(0, 3072, 0, None)),
            (&["count=3", "bs=1k"], part(0, 3072, 0, None)),
            // What is skipped counts.
            (&["bs=1k", "count=3", "skip=1"], part(1024, 2048, 0, None)),
            (&["count=3", "skip=3"], part(1536, 0, 0, None)),
            (&["seek=2", "osize=1M"], part(0, LARGEST, 1024, Some(1 << 20))),
            (&["isize=1k", "skip=1"], part(512, 512, 0, None)),
            (
                &["count=1", "skip=2"],
                Ok((Range { start: 1024, length: 0, to: 0, size: None }, true)),
            ),
            (&["seek=3", "osize=1k"], Err("cannot seek to specified offset".to_owned())),
        ] {
            assert_eq!(range(operands), expected, "{operands:?}");
        }
        // More than can be counted is behind every end.
        assert!(range(&["bs=1M", "skip=9223372036854775807"]).unwrap().1);
    }

    #[test]
    fn what_is_no_operand_is_an_error() {
        for (operand, expected) in [
            ("foo", "unrecognized operand foo"),
            ("foo=1", "unrecognized operand foo"),
            ("=1", "unrecognized operand "),
            ("bs=0", "Invalid bs specified. Must be between 1 and 2147483647."),
            ("bs=x", "Invalid bs specified: 'x'."),
            ("skip=1k", "Invalid skip specified: '1k'."),
        ] {
            assert_eq!(range(&[operand]), Err(expected.to_owned()));
        }
    }
}
