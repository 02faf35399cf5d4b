//! Instructions a sample pair, counted by the processor: run with `-icount shift=0`.
#![no_std]
#![no_main]

// Its prologues and epilogues (`+save-restore`).
use core::fmt::Write;
use ossp_embassy as _;

use metering::calibration::Calibration;
use metering::checksum::Checksum;
use metering::front_end::{ChannelRange, FrontEnd, Pair};
use metering::history::Storage;
use metering::meter::Meter;
use metering::units::{Hertz, Seconds, Volts};
use ossp_virt::console::{Console, exit};
use riscv_rt::entry;

const RATE: usize = 4000;
const ROWS: usize = 2664;
const BLOCK: usize = 8;
/// Pairs that are counted; a whole number of seconds.
const COUNTED: usize = 4 * RATE;

fn instructions() -> u64 {
    riscv::register::minstret::read64()
}

/// A 2 kW load in 12 bit counts without floating point: a sine and a third harmonic from a rotation.
struct Load {
    sine: (i64, i64),
    third: (i64, i64),
    n: u32,
}

impl Load {
    fn next(&mut self) -> Pair {
        // Rotations by 2 pi 50 / 4000 and three times that, in 2^-30.
        let turn = |(c, s): (i64, i64), (rc, rs): (i64, i64)| (c * rc - s * rs >> 30, c * rs + s * rc >> 30);
        self.sine = turn(self.sine, (1_070_431_650, 84_243_882));
        self.third = turn(self.third, (1_044_063_116, 250_734_294));
        self.n = self.n.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (self.n >> 30) as i32 - 1;
        let scaled = |value: i64, counts: i64| (value * counts >> 30) as i32;
        let voltage = scaled(self.sine.1, 1600) + noise;
        Pair {
            voltage: 2048 + voltage,
            current: 2048 + scaled(self.sine.1, 800) + scaled(self.third.1, 200) + noise,
        }
    }
}

/// What the counted blocks took.
struct Cost {
    total: u64,
    /// The dearest block: one that completes a window.
    window: u64,
    /// The cheapest: nothing but samples.
    plain: u64,
    readings: u32,
}

fn with_meter<T>(skew: f64, harmonics: bool, run: impl FnOnce(&mut Meter<'_>, &mut Load) -> T) -> T {
    static mut VOLTAGE: [i32; ROWS] = [0; ROWS];
    static mut CURRENT: [i32; ROWS] = [0; ROWS];
    // SAFETY: one hart, no interrupts, and the borrows end with the meter in this function.
    let storage = unsafe { Storage { voltage: &mut *(&raw mut VOLTAGE), current: &mut *(&raw mut CURRENT) } };
    let range = ChannelRange { lowest: 0, highest: 4095, dc_coupled: true };
    let front_end = FrontEnd {
        sample_rate: Hertz(RATE as f64),
        voltage: range,
        current: range,
        channel_skew: Seconds(skew),
        nominal_voltage: Volts(230.0),
    };
    let calibration = Calibration::ideal(0.2, 2048.0, 0.0147, 2048.0);
    let Ok(mut meter) = Meter::new(front_end, calibration, storage) else { exit(false) };
    meter.set_harmonics(harmonics);
    run(&mut meter, &mut Load { sine: (1 << 30, 0), third: (1 << 30, 0), n: 1 })
}

fn measure(meter: &mut Meter<'_>, load: &mut Load) -> Cost {
    let mut cost = Cost { total: 0, window: 0, plain: u64::MAX, readings: 0 };
    for block in 0..(RATE + COUNTED) / BLOCK {
        let pairs: [Pair; BLOCK] = core::array::from_fn(|_| load.next());
        let before = instructions();
        meter.push(0, &pairs, |_, _| cost.readings += 1);
        core::hint::black_box(meter.half_cycle().current.rms_at_least(1000));
        if block >= RATE / BLOCK {
            let took = instructions() - before;
            cost.total += took;
            cost.window = cost.window.max(took);
            cost.plain = cost.plain.min(took);
        }
    }
    cost
}

/// Of a second's readings, not counted.
fn fingerprint(meter: &mut Meter<'_>, load: &mut Load) -> u64 {
    let mut checksum = Checksum::default();
    for _ in 0..RATE {
        meter.push(0, &[load.next()], |reading, harmonics| checksum.add(reading, harmonics));
    }
    let mut whole = Checksum::default();
    for _ in 0..RATE / BLOCK {
        let pairs: [Pair; BLOCK] = core::array::from_fn(|_| load.next());
        meter.push(0, &pairs, |reading, harmonics| whole.add(reading, harmonics));
    }
    checksum.value() ^ whole.value().rotate_left(1)
}

#[entry]
fn main() -> ! {
    // With the fingerprints that a PC finds.
    let mut same = true;
    for (name, skew, harmonics, bits) in [
        ("always-on, simultaneous sampling", 0.0, false, 0x4a03_12c6_d6f6_b86e),
        ("always-on, 50 us skew", 50e-6, false, 0x5f93_5a4b_5f1c_0bc0),
        ("with harmonics, 50 us skew", 50e-6, true, 0x52ac_003d_dcaf_3468),
    ] {
        let Cost { total, window, plain, readings } = with_meter(skew, harmonics, measure);
        let a_pair = total / COUNTED as u64;
        let block = plain / BLOCK as u64;
        let _ = writeln!(
            Console,
            "{name}: {a_pair} instructions a pair; of them {block} as they come; {window} for a window of 800 ({readings} readings)"
        );
        let found = with_meter(skew, harmonics, fingerprint);
        if found != bits {
            same = false;
            let _ = writeln!(Console, "{name}: the readings are not those of a PC: {found:#018x}");
        }
    }
    exit(same)
}
