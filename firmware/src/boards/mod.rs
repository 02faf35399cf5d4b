//! Boards as values. `OSSP_BOARD=name` at build time chooses one; without it the first that is made for the chip.

use plug::board::Board;

mod devkit_c6;
mod devkit_esp32;
mod devkit_s3;
mod ossp_devkit_c3;
mod ossp_devkit_c3_sct013;

const ALL: [&Board; 5] = [
    &ossp_devkit_c3::BOARD,
    &ossp_devkit_c3_sct013::BOARD,
    &devkit_c6::BOARD,
    &devkit_esp32::BOARD,
    &devkit_s3::BOARD,
];

const CHIP: &str = if cfg!(feature = "esp32c3") {
    "esp32c3"
} else if cfg!(feature = "esp32c6") {
    "esp32c6"
} else if cfg!(feature = "esp32s3") {
    "esp32s3"
} else {
    "esp32"
};

/// The board that this firmware is built for.
pub const BOARD: &Board = choose(option_env!("OSSP_BOARD"));

/// At build time: a wrong name or a board for another chip does not compile.
#[expect(clippy::indexing_slicing, reason = "computed while building: what is out of range does not compile")]
const fn choose(name: Option<&str>) -> &'static Board {
    let mut at = 0;
    while at < ALL.len() {
        let board = ALL[at];
        let wanted = match name {
            Some(name) => same(board.name, name),
            None => true,
        };
        if wanted && same(board.chip, CHIP) {
            return board;
        }
        at += 1;
    }
    panic!("no such board for this chip: see OSSP_BOARD in docs/boards.md")
}

#[expect(clippy::indexing_slicing, reason = "computed while building: what is out of range does not compile")]
const fn same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
