//! `exuvia info`.

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Instant;

use abi::info::{Format, Request};
use abi::request::Operation;

use super::image::ImageArgs;
use super::machine::MachineArgs;
use super::source::{MAX_DEPTH, Named, explain_chain};
use super::{Program, usage};
use crate::info::{Collector, Node, text};
use crate::output::json::pretty;
use crate::output::value::Value;
use crate::reasons::on_one_line;
use crate::references::References;
use crate::run::{FIRST_FILE_SLOT, Job, Outcome};

/// Show what an image is: its format, its size, what it refers to.
///
/// Only the file that is named is opened. With --backing-chain, files that the
/// image refers to are opened as well, if they lie in its folder or below, or where
/// --allow-references says.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(flatten)]
    image: ImageArgs,

    /// Show the images underneath as well, and the files that are part of each.
    #[arg(short = 'b', long)]
    backing_chain: bool,

    /// Print text for people (human, the default) or JSON (json).
    #[arg(long, value_name = "human|json", allow_hyphen_values = true)]
    output: Option<String>,

    /// Also say what a raw image holds: partition tables, ISO 9660, UDF.
    #[arg(long, help_heading = "Options of exuvia")]
    contents: bool,

    #[command(flatten)]
    machine: MachineArgs,

    /// The image file (or a list of options, with --image-opts).
    #[arg(value_name = "FILENAME")]
    names: Vec<OsString>,
}

const EXAMPLES: &str = "Examples:
  exuvia info disk.qcow2
  exuvia info -f raw disk.img             take it for raw, whatever it looks like
  exuvia info --backing-chain --output=json top.qcow2
  exuvia info --image-opts driver=raw,offset=1M,file.filename=disk.img
  exuvia info --contents disk.img         which partition table is in there?

Exit code: 0 if the image could be described, 1 if not.";

/// Runs the command. Returns the exit code.
pub fn run(program: &Program, arguments: &Args) -> ExitCode {
    let wrong = |message: &str| usage::fail(program, Some("info"), message);
    let json = match usage::wants_json(arguments.output.as_deref()) {
        Ok(json) => json,
        Err(message) => return wrong(&message),
    };
    let [name] = arguments.names.as_slice() else {
        return wrong("Expecting one image file name");
    };
    if let Some(complaint) = arguments.image.complaint() {
        return program.fail(&complaint);
    }
    match describe(program, arguments, name) {
        Ok(nodes) => program.print(&render(&nodes, json, arguments.backing_chain)),
        Err(message) => program.fail(&message),
    }
}

fn render(nodes: &[Node], json: bool, chain: bool) -> String {
    match (json, chain) {
        (false, _) => text::chain(nodes),
        (true, true) => pretty(&Value::List(nodes.iter().map(Node::to_value).collect())),
        (true, false) => nodes.iter().map(|node| pretty(&node.to_value())).collect(),
    }
}

/// Has the guest describe the image.
fn describe(program: &Program, arguments: &Args, name: &OsString) -> Result<Vec<Node>, String> {
    let started = Instant::now();
    let machine = &arguments.machine;
    let (named, file) = Named::open(&arguments.image, name)?;
    let image = machine.image().map_err(|error| on_one_line(&error))?;
    let prepared = started.elapsed();
    let backend = machine.backend(program).map_err(|error| on_one_line(&error))?;
    let references = References::new(machine.references.policy());
    let mut collector = Collector::new(references);
    let job = Job {
        image: &image,
        operation: Operation::Info(Request {
            image: named.source(FIRST_FILE_SLOT, None),
            follow: arguments.backing_chain,
            max_depth: MAX_DEPTH,
            contents: arguments.contents,
        }),
        files: vec![file],
        memory_end: machine.memory_end(),
        budget: machine.info_budget(),
    };
    let named = [named];
    let outcome = backend
        .run(job, &mut collector)
        .map_err(|error| explain_chain(&error, &named, FIRST_FILE_SLOT))?;
    let [named] = named;

    let images = collector.into_images();
    if !arguments.image.force_share {
        check_locks(&images, &outcome)?;
    }
    let nodes = images.iter().enumerate().map(|(depth, described)| {
        // Only the first was named by the user.
        let shown = (depth == 0).then_some(named.name.shown.as_slice());
        Node::new(described, shown, |slot| outcome.file(slot), arguments.contents)
    });
    let nodes: Option<Vec<_>> = nodes.collect();
    let mut timings = outcome.timings.clone();
    timings.add("before the VM", prepared);
    machine.say_timings(program, &timings);
    let said = &named.said;
    nodes
        .filter(|nodes| !nodes.is_empty())
        .ok_or_else(|| format!("the guest gave no sensible description of '{said}'"))
}

/// Whether another process writes to one of the images. A raw image may be
/// written to at any time, as nothing in it can be half done.
fn check_locks(
    images: &[crate::info::collect::Described],
    outcome: &Outcome,
) -> Result<(), String> {
    for described in images.iter().filter(|described| described.image.format != Format::Raw) {
        let Some(file) = outcome.file(described.image.device) else {
            continue;
        };
        if let Some(lock) = file.conflict() {
            let name = file.shown_name();
            return Err(format!(
                "Could not open '{name}': Failed to get shared \"{lock}\" lock\n\
                 Is another process using the image [{name}]?"
            ));
        }
    }
    Ok(())
}
