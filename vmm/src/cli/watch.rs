//! Running a job, and listening to it.

use abi::reply::{NewFile, Reference, Reply};
use abi::request::Operation;

use super::Program;
use super::machine::MachineArgs;
use super::target::NewImage;
use crate::host_file::HostFile;
use crate::output::escape::for_terminal;
use crate::progress::Progress;
use crate::reasons::on_one_line;
use crate::references::References;
use crate::run::{FIRST_FILE_SLOT, Job, Listener, Outcome, RunError};

/// Why a job was not done.
#[derive(Debug)]
pub enum NotDone {
    /// There is no machine to do it.
    NoMachine(String),
    /// It failed.
    Failed(RunError),
}

/// What is done with what a guest says, and with the names of its files by slot.
pub type Hear<'a> = dyn FnMut(Reply, &Names) + 'a;

/// What files are called, by slot.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// The name of the file in a slot, fit for a terminal.
    #[must_use]
    pub fn of(&self, slot: u8) -> &str {
        let index = slot.checked_sub(FIRST_FILE_SLOT).map(usize::from);
        index.and_then(|index| self.0.get(index)).map_or("", String::as_str)
    }
}

/// Has a guest do something with files that takes as long as there is to do. `hear` is
/// told what it says besides how far it has come.
///
/// # Errors
///
/// If there is no machine, or the job fails.
pub fn run(
    program: &Program,
    machine: &MachineArgs,
    operation: Operation,
    files: Vec<HostFile>,
    progress: &mut Progress,
    hear: &mut Hear<'_>,
) -> Result<Outcome, NotDone> {
    make(program, machine, operation, files, None, progress, hear)
}

/// The same, where something is the making of an image.
///
/// # Errors
///
/// If there is no machine, or the job fails.
pub fn make(
    program: &Program,
    machine: &MachineArgs,
    operation: Operation,
    files: Vec<HostFile>,
    new_image: Option<&mut NewImage>,
    progress: &mut Progress,
    hear: &mut Hear<'_>,
) -> Result<Outcome, NotDone> {
    let image = machine.image().map_err(|error| NotDone::NoMachine(on_one_line(&error)))?;
    let backend = machine.backend(program);
    let backend = backend.map_err(|error| NotDone::NoMachine(on_one_line(&error)))?;
    let references = References::new(machine.references.policy());
    let names = Names(files.iter().map(HostFile::shown_name).collect());
    let job = Job {
        image: &image,
        operation,
        files,
        memory_end: machine.memory_end(),
        budget: machine.long_budget(),
    };
    let mut watcher = Watcher { program, references, new_image, progress, hear, names };
    let outcome = backend.run(job, &mut watcher).map_err(NotDone::Failed)?;
    machine.say_timings(program, &outcome.timings);
    Ok(outcome)
}

/// Takes what the guest says on the way.
struct Watcher<'a, 'hear> {
    program: &'a Program,
    references: References,
    new_image: Option<&'a mut NewImage>,
    progress: &'a mut Progress,
    hear: &'a mut Hear<'hear>,
    names: Names,
}

impl Listener for Watcher<'_, '_> {
    fn reply(&mut self, reply: Reply) {
        match reply {
            Reply::Progress(progress) => self.progress.set(progress.done, progress.total),
            Reply::Warning(message) => {
                let message = for_terminal(message.as_bytes());
                self.program.say(&format!("warning: {message}"));
            }
            reply => (self.hear)(reply, &self.names),
        }
    }

    fn open(&mut self, reference: &Reference, from: &HostFile) -> Result<HostFile, String> {
        let file = self.references.open(reference, from).map_err(|error| error.to_string())?;
        self.names.0.push(file.shown_name());
        Ok(file)
    }

    fn create(&mut self, file: &NewFile, slot: u8) -> Result<HostFile, String> {
        let image = self.new_image.as_mut().ok_or("no image is being made")?;
        let file = image.create_part(file.part, slot)?;
        self.names.0.push(file.shown_name());
        Ok(file)
    }
}
