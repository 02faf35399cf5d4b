use proptest::prelude::*;

use super::*;

fn row() -> Row {
    Row {
        boot: 7,
        uptime_s: 1234.5,
        time: Some(1_795_000_000),
        interval_s: 10,
        measured: 1.0,
        import: Energy(12_345_678_912_345),
        export: Energy(99_999),
        active_power_w: 2034.56,
        power_min_w: 3.25,
        power_max_w: 2101.0,
        voltage_v: Some(229.87),
        current_a: Some(8.8512),
        power_factor: Some(0.998),
        frequency_hz: Some(49.987),
        relay: true,
        relay_changed: false,
        quality: Quality::NONE,
    }
}

fn flags(bits: u16) -> Quality {
    let mut quality = Quality::NONE;
    for flag in Flag::ALL {
        quality.set_if(*flag, bits >> *flag as u32 & 1 != 0);
    }
    quality
}

fn read(record: &Record, head: &Head, slot: u8) -> Option<Row> {
    match decode(record, head, &head.based, slot)? {
        Item::Row(row) => Some(row),
        Item::Base(_) => None,
    }
}

fn written(row: &Row, head: &Head, slot: u8) -> Option<Record> {
    let mut record = Words([0xaa; RECORD as usize]);
    encode_row(row, &head.based, slot, &mut record).then_some(record)
}

/// How far a number may be from what it was: half a step, and what f64 itself loses.
fn near(read: f64, was: f64, step: f64) {
    assert!((read - was).abs() <= step / 2.0 + was.abs() * 1e-12, "{read} instead of {was}");
}

/// The same for what is rounded twice: to whole steps, and those to twelve bits.
fn near_part(read: f64, was: f64, step: f64) {
    near(read, was, step + was.abs() / 4096.0);
}

#[test]
fn all_flags_that_there_are_fit() {
    assert!(Flag::ALL.iter().all(|flag| (*flag as u32) < 16));
    let row = Row { quality: flags(u16::MAX), ..row() };
    let head = Head::new(1, &row, false);
    assert_eq!(read(&written(&row, &head, 1).unwrap(), &head, 1).unwrap().quality, row.quality);
}

#[test]
fn a_row_at_the_places_of_its_numbers_comes_back_as_it_was() {
    let head = Head::new(5, &row(), true);
    let mut record = Words([0; RECORD as usize]);
    head.encode(&mut record);
    assert_eq!(Head::decode(&record), Some(head));
    assert_eq!((head.based.base.uptime_ds, head.based.base.import_mwh), (12_345, 12_345_678));
    let later = Row {
        uptime_s: 1234.5 + 12_340.0,
        time: Some(1_795_012_340),
        import: Energy(12_355_678_912_345),
        relay: false,
        relay_changed: true,
        ..row()
    };
    let found = read(&written(&later, &head, 90).unwrap(), &head, 90).unwrap();
    assert_eq!((found.boot, found.time, found.uptime_s), (7, later.time, later.uptime_s));
    assert_eq!((found.import, found.export), (Energy(12_355_678_910_000), Energy(90_000)));
    assert_eq!((found.relay, found.relay_changed, found.interval_s), (false, true, 10));
    near(found.active_power_w, 2034.56, 0.01);
    near_part(found.power_min_w - found.active_power_w, 3.25 - 2034.56, 0.01);
}

#[test]
fn no_changed_bit_goes_unseen_in_head_base_and_row() {
    let head = Head::new(77, &row(), false);
    let mut record = Words([0; RECORD as usize]);
    head.encode(&mut record);
    for_each_changed_bit(&record, |changed, bit| assert_eq!(Head::decode(changed), None, "head, bit {bit}"));
    encode_base(&row(), &head, 3, &mut record);
    assert!(matches!(decode(&record, &head, &head.based, 3), Some(Item::Base(_))));
    for_each_changed_bit(&record, |changed, bit| {
        assert_eq!(decode(changed, &head, &head.based, 3), None, "base, bit {bit}");
    });
    let record = written(&row(), &head, 4).unwrap();
    for_each_changed_bit(&record, |changed, bit| {
        assert_eq!(decode(changed, &head, &head.based, 4), None, "row, bit {bit}");
    });
}

fn for_each_changed_bit(record: &Record, mut look: impl FnMut(&Record, usize)) {
    for bit in 0..record.0.len() * 8 {
        let mut changed = Words(record.0);
        changed.0[bit / 8] ^= 1 << (bit % 8);
        look(&changed, bit);
    }
}

#[test]
fn a_row_counts_only_in_its_slot_behind_its_base_and_in_its_sector() {
    let head = Head::new(9, &row(), false);
    let mut record = Words([0; RECORD as usize]);
    let based = encode_base(&row(), &head, 3, &mut record);
    assert!(encode_row(&row(), &based, 4, &mut record));
    assert!(decode(&record, &head, &based, 4).is_some());
    assert_eq!(decode(&record, &head, &based, 5), None, "another slot");
    assert_eq!(decode(&record, &head, &head.based, 4), None, "without its base");
    let other = Row { boot: 8, ..row() };
    let before = encode_base(&other, &head, 2, &mut Words([0; RECORD as usize]));
    assert_eq!(decode(&record, &head, &before, 4), None, "behind another base");
    let again = Head::new(9 + 206, &row(), false);
    let mut base = Words([0; RECORD as usize]);
    encode_base(&row(), &head, 3, &mut base);
    assert_eq!(decode(&base, &again, &again.based, 3), None, "what an earlier round left");
}

#[test]
fn erased_and_empty_words_are_nothing() {
    let head = Head::new(1, &row(), false);
    for byte in [0, 0xff] {
        let record = Words([byte; RECORD as usize]);
        assert_eq!(Head::decode(&record), None);
        assert_eq!(decode(&record, &head, &head.based, 1), None);
    }
}

#[test]
fn what_cannot_be_told_against_a_base_wants_another() {
    let head = Head::new(1, &row(), false);
    let told = |row: Row| written(&row, &head, 1).is_some();
    let later = |by: u32| Row {
        time: row().time.map(|time| time + by),
        uptime_s: row().uptime_s + f64::from(by),
        ..row()
    };
    assert!(told(later(655_350)) && !told(later(655_360)), "65,535 windows");
    assert!(!told(later(5)), "off the grid");
    assert!(!told(Row { boot: 8, ..row() }) && !told(Row { interval_s: 20, ..row() }));
    assert!(!told(Row { time: None, ..row() }), "without the time");
    assert!(
        told(Row { uptime_s: 1236.4, ..row() }) && !told(Row { uptime_s: 1236.7, ..row() }),
        "the clock stepped"
    );
    assert!(!told(Row { time: Some(1_794_999_990), ..row() }), "earlier");
    assert!(!told(Row { import: Energy(0), ..row() }), "energy went back");
    let most = Energy(12_345_678_000_000 + u64::from(u32::MAX) * 10_000);
    assert!(told(Row { import: most, ..row() }) && !told(Row { import: Energy(most.0 + 10_000), ..row() }));
    // 43 kWh, which is more than a 5-minute sector takes at 16 A.
    assert!(most.0 - 12_345_678_000_000 > 127 / 12 * 3680 * 1_000_000_000);
    let timeless = Head::new(1, &Row { time: None, ..row() }, false);
    let by_uptime = |uptime_s| written(&Row { time: None, uptime_s, ..row() }, &timeless, 1).is_some();
    assert!(by_uptime(1244.5) && !by_uptime(1245.0) && !by_uptime(1224.5));
}

#[test]
fn beyond_the_ranges_is_the_end_of_the_range() {
    let far = Row {
        boot: u32::MAX,
        uptime_s: 1e12,
        time: Some(u32::MAX - 1),
        interval_s: 1_000_000,
        import: Energy(u64::MAX),
        export: Energy(u64::MAX),
        active_power_w: 1e30,
        power_min_w: -1e30,
        power_max_w: f64::INFINITY,
        voltage_v: Some(1e9),
        current_a: Some(1e9),
        power_factor: Some(-9.0),
        frequency_hz: Some(1e6),
        measured: 3.0,
        ..row()
    };
    let head = Head::new(LAST_SEQUENCE, &far, false);
    let found = read(&written(&far, &head, 127).unwrap(), &head, 127).unwrap();
    assert_eq!((found.boot, found.time, found.interval_s, found.measured), (LAST_BOOT, far.time, 4095, 1.0));
    assert_eq!(found.import.0, MAX_BASE_ENERGY * BASE_ENERGY + u64::from(u32::MAX) * ROW_ENERGY);
    assert_eq!((found.active_power_w, found.voltage_v), (83_886.07, Some(655.34)));
    assert_eq!((found.power_factor, found.frequency_hz), (Some(-32_767.0 / 20_000.0), Some(65.535)));
    assert!(found.power_min_w < -1e6 && found.power_max_w > 1e6 && found.current_a > Some(1000.0));
    let no_number = Row { active_power_w: f64::NAN, current_a: Some(f64::NAN), ..row() };
    let head = Head::new(1, &no_number, false);
    assert!(read(&written(&no_number, &head, 1).unwrap(), &head, 1).is_some());
    // A sequence that nothing could follow is none, and neither is 0.
    for sequence in [0, LAST_SEQUENCE + 1] {
        let mut record = Words([0; RECORD as usize]);
        Head::new(sequence, &row(), false).encode(&mut record);
        assert_eq!(Head::decode(&record), None);
    }
}

#[test]
fn small_numbers_are_exact_and_large_ones_near_and_in_order() {
    for whole in 0..8192 {
        assert_eq!(large(small(f64::from(whole))), f64::from(whole));
    }
    let mut last = 0.0;
    for code in 0..u16::MAX {
        let number = large(code);
        assert!(code == 0 || number > last);
        assert_eq!(small(number), code);
        last = number;
    }
    assert!(small(f64::INFINITY) < NO_NUMBER);
}

prop_compose! {
    fn some_row()(
        power in -5000.0..20_000.0_f64, below in 0.0..25_000.0_f64, above in 0.0..25_000.0_f64,
        volts in prop::option::of(0.0..600.0_f64), amperes in prop::option::of(0.0..90.0_f64),
        factor in prop::option::of(-1.2..1.2_f64), hertz in prop::option::of(0.001..65.0_f64),
        numbers in (0..LAST_BOOT, 0..4_000_000_000_u32, prop::option::of(0..u32::MAX), 1..4096_u32),
        energy in (0..1_u64 << 59, 0..1_u64 << 59), measured in 0.002..1.0_f64, bits in any::<(u16, bool, bool)>(),
    ) -> Row {
        Row {
            boot: numbers.0, uptime_s: f64::from(numbers.1) / 10.0, time: numbers.2, interval_s: numbers.3, measured,
            import: Energy(energy.0), export: Energy(energy.1),
            active_power_w: power, power_min_w: power - below, power_max_w: power + above,
            voltage_v: volts, current_a: amperes, power_factor: factor, frequency_hz: hertz,
            relay: bits.1, relay_changed: bits.2, quality: flags(bits.0),
        }
    }
}

proptest! {
    #[test]
    fn a_row_is_read_as_it_was_written(row in some_row(), slot in 1..128_u8, sequence in 1..LAST_SEQUENCE, k in 0..65_536_u32) {
        let head = Head::new(sequence, &row, false);
        let since = k * row.interval_s;
        let time = row.time.map(|time| time.checked_add(since).filter(|time| *time < NO_TIME));
        prop_assume!(time != Some(None));
        let uptime_s = row.uptime_s + f64::from(since);
        prop_assume!(uptime_s < 4.2e8);
        let row = Row { time: time.flatten(), uptime_s, ..row };
        let found = read(&written(&row, &head, slot).unwrap(), &head, slot).unwrap();
        prop_assert_eq!((found.boot, found.time, found.interval_s), (row.boot, row.time, row.interval_s));
        prop_assert_eq!((found.relay, found.relay_changed, found.quality), (row.relay, row.relay_changed, row.quality));
        near(found.uptime_s, row.uptime_s, 0.1);
        near(found.measured, row.measured, 1.0 / MEASURED);
        prop_assert_eq!(found.import.0, row.import.0 - row.import.0 % ROW_ENERGY);
        prop_assert_eq!(found.export.0, row.export.0 - row.export.0 % ROW_ENERGY);
        near(found.active_power_w, row.active_power_w, 0.01);
        near_part(found.active_power_w - found.power_min_w, found.active_power_w - row.power_min_w, 0.01);
        near_part(found.power_max_w - found.active_power_w, row.power_max_w - found.active_power_w, 0.01);
        let both = |read: Option<f64>, was: Option<f64>, step| {
            assert_eq!(read.is_some(), was.is_some());
            near(read.unwrap_or(0.0), was.unwrap_or(0.0), step);
        };
        both(found.voltage_v, row.voltage_v, 0.01);
        both(found.power_factor, row.power_factor, 0.00005);
        both(found.frequency_hz.or(Some(0.0)), row.frequency_hz.or(Some(0.0)), 0.001);
        assert_eq!(found.current_a.is_some(), row.current_a.is_some());
        near_part(found.current_a.unwrap_or(0.0), row.current_a.unwrap_or(0.0), 0.00001);
    }

    #[test]
    fn any_bytes_are_read_or_not(bytes in any::<[u8; 32]>(), slot in 1..128_u8) {
        let head = Head::new(1, &row(), false);
        let _ = (Head::decode(&Words(bytes)), decode(&Words(bytes), &head, &head.based, slot));
    }
}
