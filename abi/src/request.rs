//! What the guest is asked to do.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::{compare, convert, copy, info, map, measure};

/// One request: the guest carries it out and ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Every device that is plugged in at the start.
    pub devices: Vec<Device>,
    /// How the guest gets at files that an image refers to.
    pub references: References,
    /// What to do. The variant is the tag that selects the operation.
    pub operation: Operation,
}

/// The operations that are linked into the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operation {
    /// Describe an image.
    Info(info::Request),
    /// Say how a disk is stored.
    Map(map::Request),
    /// Copy disks into a new image.
    Convert(convert::Request),
    /// Compare two disks.
    Compare(compare::Request),
    /// Look at an image that is to be made anew by a copy.
    Examine(convert::ExamineRequest),
    /// Make an image.
    Create(convert::CreateRequest),
    /// Say how large an image gets.
    Measure(measure::Request),
    /// Copy a file as it is.
    Copy(copy::Request),
    /// Break in a given way; only an image built for testing knows how.
    SelfTest(SelfTest),
}

/// How the guest gets at files that an image refers to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum References {
    /// It asks, and the host plugs the file in while the guest waits.
    Live,
    /// Nothing can be plugged in while the guest runs. Here is how the host
    /// answered the questions that earlier runs of the same request asked, in
    /// order; at the next one the guest asks and ends.
    Replayed(Vec<Answer>),
}

/// How the host answered a question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// The file is plugged in.
    Attached(Device),
    /// It may not or cannot be opened; the reason is one for people, and never
    /// tells what lies outside the folders that references may lead to.
    Refused(String),
    /// There is room for what the guest wants to write: it can do so up to this
    /// length in bytes.
    Reserved(u64),
    /// So many processors compute beside the first.
    Workers(u8),
}

/// The ways in which a guest can be made to break, each of which must end the
/// run with one clear line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelfTest {
    /// Nothing is wrong: the run ends well.
    Pass,
    /// Read an address that nothing is mapped at.
    PageFault,
    /// Read through a null pointer.
    NullDereference,
    /// Recurse without end.
    StackOverflow,
    /// Write into the image's own code.
    WriteText,
    /// Write into its constants.
    WriteConstants,
    /// Jump into the heap.
    ExecuteData,
    /// Read a supervisor page.
    ReadSupervisor,
    /// Use a privileged instruction.
    Privileged,
    /// Use an I/O port that is not open.
    ForbiddenPort,
    /// Divide by zero behind the compiler's back.
    DivideError,
    /// Panic.
    Panic,
    /// Allocate until memory runs out.
    OutOfMemory,
    /// Do nothing, for ever.
    Spin,
    /// Keep the input device busy, for ever.
    ReadForever,
    /// Send replies, for ever.
    TalkForever,
    /// Ring a doorbell ten thousand times.
    DoorbellStorm,
    /// Check that SSE and AVX keep their registers.
    VectorUnits,
    /// Read the input device with many requests in flight and compare.
    BlockDevice,
    /// Start more requests and jobs than fit in a queue, and get each back once.
    Transfers,
    /// Read past the input device's capacity, and write to it.
    BlockErrors,
    /// Send replies of many sizes.
    Console,
    /// Copy, fill and compare memory in every alignment.
    MemoryFunctions,
}

impl SelfTest {
    /// Every test, in the order in which the suite runs them.
    pub const ALL: [Self; 23] = [
        Self::Pass,
        Self::PageFault,
        Self::NullDereference,
        Self::StackOverflow,
        Self::WriteText,
        Self::WriteConstants,
        Self::ExecuteData,
        Self::ReadSupervisor,
        Self::Privileged,
        Self::ForbiddenPort,
        Self::DivideError,
        Self::Panic,
        Self::OutOfMemory,
        Self::Spin,
        Self::ReadForever,
        Self::TalkForever,
        Self::DoorbellStorm,
        Self::VectorUnits,
        Self::BlockDevice,
        Self::Transfers,
        Self::BlockErrors,
        Self::Console,
        Self::MemoryFunctions,
    ];
}
