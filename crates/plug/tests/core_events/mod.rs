//! Everything that can happen to a core, by chance.

use std::time::Duration;

use metering::energy::Energy;
use metering::quality::Flag;
use metering::reading::Reading;
use metering::units::{Amperes, Seconds, Volts, Watts};
use plug::core::claims::{Memory, RelayCommand, Source, Wish};
use plug::core::protection::Trip;
use plug::settings::Settings;
use plug::settings::schema::{
    At, ManualUntil, PowerOn, ProtectionSettings, RelaySettings, ScheduleEntry, ScheduleSettings,
    TimeSettings,
};
use proptest::prelude::*;

use crate::claims_support::{cause, reading, seconds};

/// 2026-10-20 12:00 in Berlin (a Tuesday).
pub(crate) const NOON: f64 = 1_792_490_400.0;

/// What happens.
#[derive(Clone, Debug)]
pub(crate) enum Happening {
    Command(RelayCommand),
    Reading(Load),
    Trip(Trip),
    Silence,
    Temperature(f64),
    Settings(Box<Settings>),
    Clock(ClockChange),
}

/// A window's content.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) power_w: f64,
    pub(crate) current_a: f64,
    pub(crate) voltage_v: f64,
    /// The current goes on although the relay is off.
    pub(crate) welded: bool,
    pub(crate) flag: Option<Flag>,
}

/// What becomes of the time of day.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ClockChange {
    Trusted,
    Lost,
    Jumps(f64),
}

impl Load {
    pub(crate) fn reading(&self, sequence: u64, now: Duration, on: bool, imported_wh: f64) -> Reading {
        let flows = on || self.welded;
        let mut reading = reading(if flows { self.power_w } else { 0.0 });
        reading.sequence = sequence;
        reading.uptime = Seconds(now.as_secs_f64());
        reading.current = Amperes(if flows { self.current_a } else { 0.0 });
        reading.voltage = Volts(self.voltage_v);
        reading.energy_import = Energy((imported_wh * 1e9) as u64);
        reading.relay = on;
        self.flag.iter().for_each(|flag| reading.quality.set(*flag));
        if !flows {
            reading.active_power = Watts(0.0);
        }
        reading
    }
}

pub(crate) fn clock_change(offset_s: Option<f64>, change: ClockChange) -> Option<f64> {
    match change {
        ClockChange::Trusted => Some(offset_s.unwrap_or(NOON)),
        ClockChange::Lost => None,
        ClockChange::Jumps(by_s) => offset_s.map(|offset| offset + by_s),
    }
}

fn relay() -> impl Strategy<Value = RelaySettings> {
    let power_on = prop_oneof![Just(PowerOn::Off), Just(PowerOn::On), Just(PowerOn::Last)];
    let until = prop_oneof![Just(ManualUntil::Schedule), Just(ManualUntil::Released)];
    let often = prop_oneof![2 => Just(0_u8), 1 => 1..6_u8, 1 => Just(255_u8)];
    let short = || prop_oneof![2 => Just(0_u64), 1 => 1..30_u64];
    let times = (short(), short(), short(), short());
    let inching = proptest::option::weighted(0.2, 1..20_u64);
    let idle = proptest::option::weighted(0.3, 0..10_u64);
    (power_on, until, often, times, inching, idle).prop_map(
        |(power_on, manual_until, switchings_a_minute, times, inching, idle)| RelaySettings {
            power_on,
            manual_until,
            switchings_a_minute,
            minimum_on: seconds(times.0),
            minimum_off: seconds(times.1),
            start_delay: seconds(times.2),
            start_delay_random: seconds(times.3),
            inching: inching.map(seconds),
            idle_off_below_w: idle.map(|_| 5.0),
            idle_off_after: seconds(idle.unwrap_or(10)),
            ..RelaySettings::default()
        },
    )
}

fn protection() -> impl Strategy<Value = ProtectionSettings> {
    let limits = (
        proptest::option::of(Just(2000.0)),
        0..3_u64,
        proptest::option::of(Just(253.0)),
        proptest::option::of(Just(207.0)),
        proptest::option::weighted(0.3, 0.0..2.0_f64),
    );
    let retries = (prop_oneof![Just(0_u8), 1..4_u8], 0..30_u64, prop_oneof![Just(1.0), Just(2.0)]);
    (limits, retries, proptest::bool::weighted(0.8)).prop_map(|(limits, retries, sensor_fault)| {
        ProtectionSettings {
            power_limit_w: limits.0,
            power_hold: seconds(limits.1),
            voltage_max_v: limits.2,
            voltage_min_v: limits.3,
            voltage_hold: seconds(limits.1),
            energy_budget_wh: limits.4,
            sensor_fault,
            retries: retries.0,
            retry_pause: seconds(retries.1),
            retry_back_off: retries.2,
            ..ProtectionSettings::default()
        }
    })
}

/// Entries around noon, some by the sun (which needs a position that may be missing).
fn schedule() -> impl Strategy<Value = ScheduleSettings> {
    let at = prop_oneof![
        8 => (0..2400_u32).prop_map(|second| At::Clock(42_000 + second)),
        1 => Just(At::Sunset(-3600)),
        1 => Just(At::Sunrise(7200)),
    ];
    let days = prop_oneof![Just(0b111_1111_u8), Just(0b000_0010), 0..128_u8];
    let entry = (any::<bool>(), days, at, prop_oneof![Just(0_u16), 0..600_u16])
        .prop_map(|(on, days, at, random_s)| ScheduleEntry { enabled: true, days, at, on, random_s });
    (any::<bool>(), proptest::collection::vec(entry, 0..10))
        .prop_map(|(enabled, entries)| ScheduleSettings { enabled, entries: entries.into_iter().collect() })
}

fn time() -> impl Strategy<Value = TimeSettings> {
    (any::<bool>(), any::<bool>()).prop_map(|(berlin, placed)| TimeSettings {
        posix: if berlin { "CET-1CEST,M3.5.0,M10.5.0/3" } else { "nonsense" }.try_into().unwrap(),
        latitude_deg: placed.then_some(52.52),
        longitude_deg: placed.then_some(13.41),
        ..TimeSettings::default()
    })
}

pub(crate) fn settings() -> impl Strategy<Value = Settings> {
    (relay(), protection(), schedule(), time()).prop_map(|(relay, protection, schedule, time)| Settings {
        relay,
        protection,
        schedule,
        time,
        ..Settings::default()
    })
}

pub(crate) fn memory() -> impl Strategy<Value = Memory> {
    let locked_out = proptest::option::weighted(0.2, Just(cause("over-current")));
    (proptest::option::of(any::<bool>()), locked_out, any::<bool>(), 0..5_u8).prop_map(
        |(on, locked_out, planned_restart_kept_on, bad_starts_in_a_row)| Memory {
            on,
            locked_out,
            planned_restart_kept_on,
            bad_starts_in_a_row,
        },
    )
}

fn command() -> impl Strategy<Value = RelayCommand> {
    let wish = prop_oneof![
        4 => any::<bool>().prop_map(Wish::Set),
        2 => Just(Wish::Toggle),
        1 => Just(Wish::Release),
        2 => Just(Wish::Rearm),
        1 => Just(Wish::CancelRetries),
    ];
    let source = prop_oneof![Just(Source::Web), Just(Source::Button)];
    let duration = proptest::option::weighted(0.3, (0..40_u64).prop_map(seconds));
    (wish, duration, source).prop_map(|(wish, duration, source)| RelayCommand { wish, duration, source })
}

fn load() -> impl Strategy<Value = Load> {
    let load = prop_oneof![
        2 => Just((1.0, 0.01)),
        3 => Just((500.0, 2.2)),
        1 => Just((2500.0, 11.0)),
        1 => Just((-2500.0, 11.0)),
        1 => Just((9000.0, 40.0)),
    ];
    let voltage = prop_oneof![4 => Just(230.0), 1 => Just(260.0), 1 => Just(200.0)];
    let flag = proptest::option::weighted(
        0.1,
        prop_oneof![Just(Flag::CurrentStuck), Just(Flag::VoltageStuck), Just(Flag::NoVoltage)],
    );
    (load, voltage, proptest::bool::weighted(0.1), flag).prop_map(
        |((power_w, current_a), voltage_v, welded, flag)| Load {
            power_w,
            current_a,
            voltage_v,
            welded,
            flag,
        },
    )
}

pub(crate) fn happening() -> impl Strategy<Value = Happening> {
    let limit = Amperes(16.0);
    let trip = prop_oneof![
        (17..60_u32).prop_map(move |amperes| Trip::OverCurrent { current: Amperes(amperes.into()), limit }),
        Just(Trip::ClippedCurrent { limit }),
        Just(Trip::NoSamples),
    ];
    let clock = prop_oneof![
        3 => Just(ClockChange::Trusted),
        1 => Just(ClockChange::Lost),
        2 => (-5000.0..5000.0_f64).prop_map(ClockChange::Jumps),
        1 => (-200_000.0..700_000.0_f64).prop_map(ClockChange::Jumps),
    ];
    prop_oneof![
        6 => command().prop_map(Happening::Command),
        8 => load().prop_map(Happening::Reading),
        2 => trip.prop_map(Happening::Trip),
        1 => Just(Happening::Silence),
        1 => prop_oneof![Just(50.0), Just(85.0), Just(95.0)].prop_map(Happening::Temperature),
        1 => settings().prop_map(|settings| Happening::Settings(Box::new(settings))),
        3 => clock.prop_map(Happening::Clock),
    ]
}

/// Steps in milliseconds: often within a delay, sometimes beyond all, rarely hours.
pub(crate) fn step() -> impl Strategy<Value = u64> {
    prop_oneof![3 => Just(0), 6 => 1..3000_u64, 4 => 3000..70_000_u64, 1 => 70_000..8_000_000_u64]
}
