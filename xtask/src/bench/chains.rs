//! The third table: a disk that is spread over a chain of images costs what one image does.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::content::{DENSE, Xorshift};
use super::pairs::{Costs, Programs};
use super::place::Place;
use super::work::{Args, mebibytes};

/// How many images the chain has.
const DEPTH: u64 = 32;

/// How much longer it may take than one image.
const TARGET: f64 = 1.3;

/// What is written at a time, in bytes. The next one is in another image.
const PIECE: u64 = 256 << 10;

/// What is done with the image on top, which is called TOP here.
const ROWS: [(&str, &str); 2] = [
    ("chain: qcow2 to raw", "convert -f qcow2 -O raw TOP new"),
    ("chain: qcow2 to qcow2", "convert -f qcow2 -O qcow2 TOP new"),
];

/// Measures, and prints the table. How many rows there were.
pub(super) fn table(arguments: &Args, programs: &Programs<'_>) -> Result<usize> {
    let rows: Vec<_> = ROWS.iter().filter(|(name, _)| arguments.wants(name)).collect();
    if rows.is_empty() {
        return Ok(0);
    }
    let place = Place::new("chains", arguments.unit(), DENSE)?;
    println!(
        "\nA disk of {} MiB, 70 % of it data, in pieces of {} KiB spread over {DEPTH} images, over \
         the same in one.\nLeast seconds; peak memory in MiB. The ratio may be {TARGET}.\n",
        place.size() >> 20,
        PIECE >> 10
    );
    println!("{:28}{:^39}{:^24}", "", "exuvia", "qemu-img");
    println!(
        "{:28}{:>8}{:>8}{:>8}{:>7}{:>8}{:>8}{:>8}{:>8}",
        "work", "one", "chain", "ratio", "memory", "", "one", "chain", "ratio"
    );
    let one = make_chain(&place, "one", 1)?;
    let many = make_chain(&place, "many", DEPTH)?;
    place.qemu_img(&format!("compare -f qcow2 -F qcow2 {one} {many}"))?;
    for (name, words) in &rows {
        let tops = [&one, &many];
        let mut ours = [Vec::new(), Vec::new()];
        let mut theirs = [Vec::new(), Vec::new()];
        for _ in 0..arguments.count() {
            for ((top, ours), theirs) in tops.iter().zip(&mut ours).zip(&mut theirs) {
                let words = words.replace("TOP", top);
                ours.push(programs.run_exuvia(&place, &words)?);
                theirs.push(programs.run_qemu_img(&place, &words)?);
            }
        }
        let ours = ours.map(|costs| Costs::of(&costs));
        let theirs = theirs.map(|costs| Costs::of(&costs));
        println!("{}", line(name, ours, theirs));
    }
    Ok(rows.len())
}

/// A row: with one image, and with the chain.
fn line(name: &str, ours: [Costs; 2], theirs: [Costs; 2]) -> String {
    let seconds = |costs: [Costs; 2]| costs.map(|costs| costs.time.least.as_secs_f64());
    let ([one, chain], [their_one, their_chain]) = (seconds(ours), seconds(theirs));
    let ratio = chain / one;
    let memory = ours.map(|costs| mebibytes(costs.memory));
    let missed = if ratio > TARGET { "  missed" } else { "" };
    format!(
        "{name:28}{one:>8.4}{chain:>8.4}{ratio:>8.2}{:>7}{:>8}{their_one:>8.4}{their_chain:>8.4}\
         {:>8.2}{missed}",
        memory[0],
        memory[1],
        their_chain / their_one
    )
}

/// Makes a chain with a disk that does not depend on its depth. Returns the name of the image
/// on top.
fn make_chain(place: &Place, name: &str, depth: u64) -> Result<String> {
    let file = |layer: u64| format!("{name}-{layer}.qcow2");
    for layer in 0..depth {
        let new = file(layer);
        match layer.checked_sub(1).map(file) {
            None => place.qemu_img(&format!("create -q -f qcow2 {new} {}", place.size()))?,
            Some(below) => {
                place.qemu_img(&format!("create -q -f qcow2 -b {below} -F qcow2 {new}"))?;
            }
        }
        write(place, &new, |piece| piece % depth == layer)?;
    }
    Ok(file(depth - 1))
}

/// Writes some of the pieces of the disk into an image.
fn write(place: &Place, file: &str, is_wanted: impl Fn(u64) -> bool) -> Result<()> {
    let mut commands = String::new();
    let mut numbers = Xorshift::new();
    for piece in 0..place.size() / PIECE {
        let number = numbers.next();
        // Seven of ten are data.
        if number % 10 < 7 && is_wanted(piece) {
            let byte = 1 + (number >> 32) % 255;
            commands.push_str(&format!("write -q -P {byte} {} {PIECE}\n", piece * PIECE));
        }
    }
    let mut command = Command::new("qemu-io");
    command.args(["-f", "qcow2", "-t", "unsafe"]).arg(place.path(file));
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut child = command.spawn().context("cannot run qemu-io")?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(commands.as_bytes()).context("qemu-io has ended")?;
    }
    ensure!(child.wait()?.success(), "qemu-io failed");
    Ok(())
}
