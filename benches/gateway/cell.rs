//! The cells of the benchmark: what is measured under which load.

use std::fmt;
use std::str::FromStr;

/// A load: so many connections, each with so many calls in flight, each for so many bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) connections: usize,
    /// Calls written at once; the next follow when all are answered.
    pub(crate) depth: usize,
    /// Bytes of the reply's string.
    pub(crate) size: usize,
}

/// What a run measures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    pub(crate) loads: Vec<Cell>,
    pub(crate) memory: bool,
    pub(crate) pending: bool,
    pub(crate) python: bool,
}

impl Cell {
    /// The cell of the targets.
    pub(crate) const USUAL: Self = Self { connections: 64, depth: 1, size: 100 };
    /// The cell that shows a server's own code: its system calls are shared by many calls.
    pub(crate) const PIPELINED: Self = Self { connections: 16, depth: 16, size: 100 };
}

impl fmt::Display for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}x{}x{}", self.connections, self.depth, self.size)
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<usize> = text.split('x').filter_map(|number| number.parse().ok()).collect();
        match numbers.as_slice() {
            [connections @ 1..=1024, depth @ 1..=32, size @ 9..=1_048_576] => {
                Ok(Self { connections: *connections, depth: *depth, size: *size })
            }
            _ => Err(format!("{text}: not CONNECTIONSxDEPTHxBYTES (to 1024, 32 and 1048576)")),
        }
    }
}

impl FromStr for Cells {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut cells = Self::default();
        for name in text.split(',') {
            match name {
                "memory" => cells.memory = true,
                "pending" => cells.pending = true,
                "python" => cells.python = true,
                "default" => cells.add(DEFAULT.to_vec()),
                "all" => cells.add(every()),
                load => cells.loads.push(load.parse()?),
            }
        }
        Ok(cells)
    }
}

impl Cells {
    fn add(&mut self, mut loads: Vec<Cell>) {
        self.loads.append(&mut loads);
        (self.memory, self.pending, self.python) = (true, true, true);
    }
}

fn every() -> Vec<Cell> {
    let mut cells = Vec::new();
    for size in [100, 1024, 16 * 1024] {
        for depth in [1, 16] {
            cells.extend([1, 16, 64, 256].map(|connections| Cell { connections, depth, size }));
        }
    }
    cells
}

const DEFAULT: [Cell; 6] = [
    Cell::USUAL,
    Cell::PIPELINED,
    Cell { connections: 1, depth: 1, size: 100 },
    Cell { connections: 256, depth: 1, size: 100 },
    Cell { connections: 64, depth: 1, size: 1024 },
    Cell { connections: 64, depth: 1, size: 16 * 1024 },
];
