//! Any bytes at all as a recording: never a panic, never more memory than promised, one line an error, and the same
//! answer in whatever pieces the bytes arrive.
#![no_main]

use std::io::Read;

use libfuzzer_sys::fuzz_target;
use metering::front_end::Pair;
use ossp::recording::{Recording, RecordingError};

/// Hands out at most so many bytes at once.
struct Trickle<'a> {
    bytes: &'a [u8],
    most: usize,
}

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.most);
        self.bytes.read(&mut buffer[..most])
    }
}

fn read(bytes: &[u8], most: usize) -> Result<(Vec<Pair>, u64), RecordingError> {
    let mut recording = Recording::from_reader("fuzz.csv", Trickle { bytes, most })?;
    assert!(recording.header().pairs().count() <= 1000);
    assert!((1e3..=5e4).contains(&recording.front_end().sample_rate.0));
    let front_end = recording.front_end();
    let calibration = recording.calibration().clone();
    let (mut all, mut lost_in_all, mut block) = (Vec::new(), 0, Vec::new());
    while let Some(lost) = recording.next_block(&mut block)? {
        assert!(block.len() <= Recording::<Trickle<'_>>::BLOCK_PAIRS && block.capacity() <= 8192);
        assert!(lost > 0 || !block.is_empty());
        lost_in_all += u64::from(lost);
        for pair in &block {
            // What the metering relies on.
            assert!((f64::from(pair.voltage) - calibration.voltage.zero_raw).abs() <= (1 << 24) as f64);
            assert!((f64::from(pair.current) - calibration.current.zero_raw).abs() <= (1 << 24) as f64);
        }
        all.extend_from_slice(&block);
    }
    assert!(front_end.voltage.lowest < front_end.voltage.highest);
    assert!(front_end.current.lowest < front_end.current.highest);
    assert_eq!(recording.rows(), all.len() as u64);
    assert_eq!(recording.next_block(&mut block), Ok(None));
    Ok((all, lost_in_all))
}

fuzz_target!(|bytes: &[u8]| {
    let at_once = read(bytes, usize::MAX);
    if let Err(error) = &at_once {
        let sentence = error.to_string();
        assert!(!sentence.contains('\n') && sentence.len() < 500, "{sentence:?}");
    }
    assert_eq!(at_once, read(bytes, 7));
});
