//! The picture that `map --output=svg` draws: where on a disk is what, and in which image
//! of the chain.
//!
//! A disk can have any size and be in any number of pieces; a picture cannot. So the disk
//! is cut into cells of equal size, [`cells::MAX_CELLS`] at the most, and what is kept of a
//! cell is how many bytes of it are stored in which way. Neither the memory that it takes to
//! draw a disk nor the picture grows with the number of extents.
//!
//! Reading order: [`class`] (the ways in which something is stored that a picture tells
//! apart), [`cells`] (extents become cells), [`runs`] (cells become what is drawn), [`svg`]
//! (the page), [`legend`] (what stands beside the map), [`text`] (words and numbers on it).

pub mod cells;
pub mod class;
pub mod legend;
pub mod runs;
pub mod svg;
pub mod text;

pub use self::cells::{Cells, NoMap};
pub use self::svg::{Subject, draw};
