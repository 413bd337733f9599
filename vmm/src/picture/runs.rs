//! Cells become what is drawn.
//!
//! A cell that is stored in one way has one colour, and a row of such cells is one piece.
//! In any other cell, what it holds is stacked, by share, like a bar. What is little is
//! drawn a little larger, since else a sector in a large cell would not be seen; how much
//! it is, is written beside it.

use super::cells::Mix;
use super::class::Class;

/// How high a cell is. It is shared out in whole numbers of this.
pub const CELL_HEIGHT: u64 = 12;

/// The most layers that a cell is drawn with. More could not be told apart, and their
/// number bounds the size of a picture.
pub const MAX_LAYERS: usize = 6;

/// Cells of a row that are drawn as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first of them.
    pub first: usize,
    /// How many there are.
    pub count: usize,
    /// What they hold.
    pub mix: Mix,
}

impl Run {
    /// The only class there is, if it is.
    fn only(&self) -> Option<Class> {
        let mut present = self.mix.present();
        let first = present.next();
        if present.next().is_some() { None } else { first.map(|(class, _)| class) }
    }

    /// What is drawn, from the bottom up, and how high: [`CELL_HEIGHT`] together.
    #[must_use]
    pub fn layers(&self) -> Vec<(Class, u64)> {
        let mut largest: Vec<_> = self.mix.present().collect();
        largest.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        largest.truncate(MAX_LAYERS);
        let total: u64 = largest.iter().map(|(_, bytes)| bytes).sum();
        let mut left = CELL_HEIGHT;
        let mut layers: Vec<(Class, u64)> = Vec::new();
        // The least first, and none of them without a line; what is left is the largest's.
        for (index, (class, bytes)) in largest.into_iter().enumerate().rev() {
            let share = u128::from(bytes) * u128::from(CELL_HEIGHT) * 2 + u128::from(total);
            let rounded = share / (u128::from(total) * 2);
            // Those that follow must have a line each.
            let most = left.saturating_sub(index as u64);
            let height = u64::try_from(rounded).unwrap_or(CELL_HEIGHT).clamp(1, most.max(1));
            let height = if index == 0 { left } else { height };
            left -= height;
            layers.push((class, height));
        }
        layers.sort();
        layers
    }
}

/// The runs of a row.
#[must_use]
pub fn of_row(cells: &[Mix]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (first, cell) in cells.iter().enumerate() {
        let next = Run { first, count: 1, mix: cell.clone() };
        match runs.last_mut() {
            Some(last) if last.only().is_some() && last.only() == next.only() => {
                last.count += 1;
                last.mix.merge(cell);
            }
            _ => runs.push(next),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::cells::tests::disk;
    use super::*;

    fn mix(counts: &[(usize, u64)]) -> Mix {
        let mut mix = Mix::default();
        for (class, bytes) in counts {
            mix.add(Class::all().nth(*class).unwrap(), *bytes);
        }
        mix
    }

    #[test]
    fn cells_of_one_class_are_one_run() {
        let (data, zeros) = (mix(&[(0, 8)]), mix(&[(21, 8)]));
        let both = mix(&[(0, 4), (21, 4)]);
        let row = [&data, &data, &both, &both, &zeros, &data].map(Clone::clone);
        let runs = of_row(&row);
        let places: Vec<_> = runs.iter().map(|run| (run.first, run.count)).collect();
        assert_eq!(places, [(0, 2), (2, 1), (3, 1), (4, 1), (5, 1)]);
        assert_eq!(runs[0].mix, mix(&[(0, 16)]));
    }

    #[test]
    fn heights_are_shares_and_nothing_is_invisible() {
        for (counts, expected) in [
            (&[(3, 1)][..], &[(3, 12)][..]),
            (&[(0, 1), (28, 1)], &[(0, 6), (28, 6)]),
            (&[(0, 1), (28, 3)], &[(0, 3), (28, 9)]),
            (&[(0, 1), (28, 1 << 62)], &[(0, 1), (28, 11)]),
            (&[(0, 1 << 62), (28, 1)], &[(0, 11), (28, 1)]),
            (&[(0, 1), (1, 1), (28, 1)], &[(0, 4), (1, 4), (28, 4)]),
            // What has no room is the least.
            (
                &[(0, 90), (1, 1), (2, 9), (3, 8), (4, 7), (5, 6), (6, 5)],
                &[(0, 7), (2, 1), (3, 1), (4, 1), (5, 1), (6, 1)],
            ),
        ] {
            let run = Run { first: 0, count: 1, mix: mix(counts) };
            let layers: Vec<_> =
                run.layers().iter().map(|(class, height)| (class.index(), *height)).collect();
            assert_eq!(layers, expected, "{counts:?}");
        }
    }

    #[test]
    fn every_cell_is_drawn_once_and_in_full() {
        let cells = disk(0, 10 << 30, 1 << 20);
        for row in cells.rows() {
            let mut next = 0;
            for run in of_row(row) {
                assert_eq!(run.first, next);
                next += run.count;
                let layers = run.layers();
                assert!(layers.len() <= MAX_LAYERS);
                assert!(layers.iter().all(|(_, height)| *height > 0));
                let height: u64 = layers.iter().map(|(_, height)| height).sum();
                assert_eq!(height, CELL_HEIGHT);
            }
            assert_eq!(next, row.len());
        }
    }
}
